//! A bucket on an S3 server as an origin: GetObject with a range, and nothing else.
//!
//! One request is one try: asking again is [`super::Retrying`]'s work.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use tokio::sync::OnceCell;

use super::{Condition, ConnectError, Origin, OriginError, Read, key};
use crate::distribution::S3Bucket;
use crate::units::ByteRange;

mod answer;
mod client;
mod refusal;
mod writer;

pub use client::Clients;
pub use writer::S3Writer;

use client::S3Client;
use refusal::Refusal;

/// Asked for at start to learn whether the bucket can be read. Nobody has it; if somebody has, it
/// does no harm.
const PROBE_KEY: &str = ".streamfront-probe";

/// A bucket on an S3 server.
#[derive(Debug)]
pub struct S3Origin {
    bucket: S3Bucket,
    clients: Arc<Clients>,
    client: OnceCell<Arc<S3Client>>,
}

impl S3Origin {
    /// Describes the bucket. The client is looked for when the first object is read: that may ask
    /// the metadata service of a cloud machine, for a second or two.
    pub fn new(bucket: S3Bucket, clients: Arc<Clients>) -> Self {
        Self {
            bucket,
            clients,
            client: OnceCell::new(),
        }
    }

    async fn client(&self) -> &S3Client {
        let client = self.client.get_or_init(|| self.clients.get(&self.bucket));
        client.await
    }

    /// Whether the bucket is there and may be read. Needs no right but that to read objects: asks
    /// for one that is not there, and takes "not found" and "access denied" for a yes.
    ///
    /// # Errors
    /// Each case of [`ConnectError`] but the directory's.
    pub async fn check(&self) -> Result<(), ConnectError> {
        let probe = ByteRange::new(0, 1);
        let refusal = match self.get(PROBE_KEY, probe, Condition::None).await {
            Ok(_) => return Ok(()),
            Err(refusal) => refusal,
        };
        let bucket = self.bucket.name.clone();
        let endpoint = self.client().await.place.clone();
        match refusal {
            Refusal::NotModified
            | Refusal::Read(
                OriginError::NotFound
                | OriginError::Forbidden
                | OriginError::OutOfRange
                | OriginError::Changed,
            ) => Ok(()),
            Refusal::NoBucket => Err(ConnectError::NoBucket { bucket, endpoint }),
            Refusal::BadCredentials(cause) => Err(ConnectError::Refused {
                bucket,
                endpoint,
                cause,
            }),
            Refusal::NoCredentials(cause) => Err(ConnectError::NoCredentials { bucket, cause }),
            Refusal::Read(
                error @ (OriginError::Unavailable { .. } | OriginError::Misconfigured { .. }),
            ) => Err(ConnectError::Unreachable {
                bucket,
                endpoint,
                cause: error.to_string(),
            }),
        }
    }

    async fn get(
        &self,
        key: &str,
        range: ByteRange,
        condition: Condition<'_>,
    ) -> Result<Read, Refusal> {
        if !key::is_sound(key) {
            return Err(Refusal::Read(OriginError::NotFound));
        }
        if range.is_empty() {
            return Err(Refusal::Read(OriginError::OutOfRange));
        }
        let request = self
            .client()
            .await
            .client
            .get_object()
            .bucket(&self.bucket.name)
            .key(format!("{}{key}", self.bucket.prefix))
            // The last byte is counted in (RFC 9110, section 14.1.2).
            .range(format!("bytes={}-{}", range.start, range.end - 1));
        let request = match condition {
            Condition::None => request,
            Condition::Match(etag) => request.if_match(etag.as_str()),
            Condition::NoneMatch(etag) => request.if_none_match(etag.as_str()),
        };
        let answer = request.send().await.map_err(|error| Refusal::of(&error))?;
        // A server that does not know If-None-Match sends the object: no harm but the bytes.
        answer::receive(answer, range, condition, self.clients.idle_timeout())
            .await
            .map(Read::Bytes)
            .map_err(Refusal::Read)
    }

    async fn read_once(
        &self,
        key: &str,
        range: ByteRange,
        condition: Condition<'_>,
    ) -> Result<Read, OriginError> {
        match self.get(key, range, condition).await {
            Ok(read) => Ok(read),
            Err(refusal) => refusal.into_error().map_or(Ok(Read::NotModified), Err),
        }
    }
}

impl Origin for S3Origin {
    fn read<'a>(
        &'a self,
        key: &'a str,
        range: ByteRange,
        condition: Condition<'a>,
    ) -> BoxFuture<'a, Result<Read, OriginError>> {
        self.read_once(key, range, condition).boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::super::{ETag, Object, Retrying, Tuning};
    use super::*;
    use crate::distribution::{Access, OriginSpec};

    /// A server that answers each request with the next of `answers`, then closes; an answer that
    /// ends in `STALL` stays open without another byte. Keeps the heads of the requests.
    struct Server {
        origin: S3Origin,
        heads: Arc<Mutex<Vec<String>>>,
    }

    const STALL: &str = "<stall>";

    async fn server(answers: Vec<String>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        tokio::spawn(async move {
            let mut kept = Vec::new();
            for answer in answers {
                let (mut socket, _) = listener.accept().await.unwrap();
                let head = read_head(&mut socket).await;
                seen.lock().unwrap().push(head);
                let text = answer.strip_suffix(STALL);
                // The client may close before it has read all of it: that is what is tested.
                let _ = socket.write_all(text.unwrap_or(&answer).as_bytes()).await;
                if text.is_some() {
                    kept.push(socket);
                }
            }
            drop(listener);
            if !kept.is_empty() {
                std::future::pending::<()>().await;
            }
        });
        let tuning = Tuning {
            idle_timeout: Duration::from_millis(100),
            answer_timeout: Duration::from_millis(500),
            ..Tuning::default()
        };
        let bucket = bucket(&format!("http://{address}"));
        Server {
            origin: S3Origin::new(bucket, Arc::new(Clients::new(&tuning))),
            heads,
        }
    }

    fn bucket(endpoint: &str) -> S3Bucket {
        let Ok(OriginSpec::S3(mut bucket)) = OriginSpec::parse("s3://media/pre/fix") else {
            panic!("a bucket")
        };
        bucket.set_endpoint(endpoint).unwrap();
        bucket.region = Some("eu-west-1".into());
        bucket.access = Access::Anonymous;
        bucket
    }

    async fn read_head(socket: &mut TcpStream) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = socket.read_u8().await else {
                break;
            };
            head.push(byte);
        }
        String::from_utf8(head).unwrap().to_lowercase()
    }

    /// An answer with `ETag: "e1"`; `length` is what the head promises.
    fn answer(status: &str, range: Option<&str>, length: usize, body: &str) -> String {
        let range = range.map_or(String::new(), |range| format!("Content-Range: {range}\r\n"));
        format!(
            "HTTP/1.1 {status}\r\nETag: \"e1\"\r\nConnection: close\r\n{range}\
             Content-Length: {length}\r\n\r\n{body}"
        )
    }

    fn part(body: &str) -> String {
        answer("206 Partial Content", Some("bytes 2-5/10"), 4, body)
    }

    fn refusal(status: &str, code: &str) -> String {
        let body = format!("<Error><Code>{code}</Code><Message>m</Message></Error>");
        answer(status, None, body.len(), &body)
    }

    const PART: ByteRange = ByteRange::new(2, 6);

    async fn read(server: &Server) -> Result<Object, OriginError> {
        match server
            .origin
            .read("dir/ü +.mp4", PART, Condition::None)
            .await?
        {
            Read::Bytes(object) => Ok(object),
            Read::NotModified => panic!("unconditional"),
        }
    }

    fn is_unavailable(read: &Result<Object, OriginError>, text: &str) -> bool {
        matches!(read, Err(OriginError::Unavailable { cause }) if cause.contains(text))
    }

    #[tokio::test]
    async fn a_read_is_one_request_for_the_range_under_the_prefix() {
        let server = server(vec![part("2345"), part("2345")]).await;
        let object = read(&server).await.unwrap();
        assert_eq!(
            (object.size, object.range, object.etag),
            (10, PART, ETag::new("\"e1\""))
        );
        assert_eq!(&object.bytes[..], b"2345");
        let etag = ETag::new("\"e1\"");
        let again = server.origin.read("k", PART, Condition::Match(&etag)).await;
        assert!(matches!(again, Ok(Read::Bytes(_))), "{again:?}");

        let heads = server.heads.lock().unwrap().clone();
        let first = "get /media/pre/fix/dir/%c3%bc%20%2b.mp4?x-id=getobject http/1.1";
        assert_eq!(heads[0].lines().next(), Some(first));
        assert!(
            heads[0].contains("\r\nrange: bytes=2-5\r\n"),
            "{}",
            heads[0]
        );
        assert!(!heads[0].contains("if-match") && !heads[0].contains("authorization"));
        assert!(
            heads[1].contains("\r\nif-match: \"e1\"\r\n"),
            "{}",
            heads[1]
        );
    }

    #[tokio::test]
    async fn a_whole_object_for_a_range_is_cut_and_not_awaited() {
        // The rest of the object never comes: it is not waited for.
        let whole = answer("200 OK", None, 1_000_000, "0123456789") + STALL;
        let server = server(vec![whole]).await;
        let object = read(&server).await.unwrap();
        assert_eq!((&object.bytes[..], object.range), (&b"2345"[..], PART));
        assert_eq!(object.size, 1_000_000);
    }

    #[tokio::test]
    async fn more_than_was_asked_for_is_cut() {
        let more = answer(
            "206 Partial Content",
            Some("bytes 0-9/10"),
            10,
            "0123456789",
        );
        let object = read(&server(vec![more]).await).await.unwrap();
        assert_eq!((&object.bytes[..], object.range), (&b"2345"[..], PART));
    }

    #[tokio::test]
    async fn less_than_was_asked_for_is_an_error() {
        let short = answer("206 Partial Content", Some("bytes 2-4/10"), 3, "234");
        let lying = answer("206 Partial Content", Some("bytes 2-5/10"), 3, "234");
        let server = server(vec![part("23"), short, lying]).await;
        for _ in 0..3 {
            let read = read(&server).await;
            assert!(is_unavailable(&read, ""), "{read:?}");
        }
        assert_eq!(server.heads.lock().unwrap().len(), 3);
    }

    #[tokio::test]
    async fn a_body_that_stalls_ends() {
        let read = read(&server(vec![part("23") + STALL]).await).await;
        assert!(is_unavailable(&read, "stopped sending"), "{read:?}");
    }

    #[tokio::test]
    async fn a_server_that_does_not_answer_ends() {
        let read = read(&server(vec![STALL.to_owned()]).await).await;
        assert!(is_unavailable(&read, "timeout"), "{read:?}");
    }

    #[tokio::test]
    async fn another_version_is_seen_though_the_server_ignores_if_match() {
        let server = server(vec![part("2345")]).await;
        let old = ETag::new("\"e0\"");
        let read = server.origin.read("k", PART, Condition::Match(&old)).await;
        assert_eq!(read, Err(OriginError::Changed));
    }

    #[tokio::test]
    async fn refusals_keep_their_meaning() {
        let server = server(vec![
            refusal("412 Precondition Failed", "PreconditionFailed"),
            refusal("416 Requested Range Not Satisfiable", "InvalidRange"),
            refusal("404 Not Found", "NoSuchKey"),
            refusal("403 Forbidden", "AccessDenied"),
            answer("503 Service Unavailable", None, 4, "busy"),
            "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n".to_owned(),
            "SSH-2.0-OpenSSH\r\n".to_owned(),
        ])
        .await;
        assert_eq!(read(&server).await, Err(OriginError::Changed));
        assert_eq!(read(&server).await, Err(OriginError::OutOfRange));
        assert_eq!(read(&server).await, Err(OriginError::NotFound));
        assert_eq!(read(&server).await, Err(OriginError::Forbidden));
        let busy = read(&server).await;
        assert!(is_unavailable(&busy, "503"), "{busy:?}");
        let etag = ETag::new("\"e1\"");
        let same = server
            .origin
            .read("k", PART, Condition::NoneMatch(&etag))
            .await;
        assert_eq!(same, Ok(Read::NotModified));
        let strange = read(&server).await;
        assert!(is_unavailable(&strange, ""), "{strange:?}");
    }

    #[tokio::test]
    async fn busy_then_good_is_good() {
        let busy = refusal("503 Service Unavailable", "SlowDown");
        let server = server(vec![busy, part("2345")]).await;
        let origin = Retrying::new(server.origin, &Tuning::default());
        let read = origin.read("k", PART, Condition::None).await;
        assert!(matches!(read, Ok(Read::Bytes(_))), "{read:?}");
    }

    #[tokio::test]
    async fn keys_that_lead_out_are_never_sent() {
        let server = server(Vec::new()).await;
        for key in ["", "/a", "../a", "a/../../b", "a\0"] {
            let read = server.origin.read(key, PART, Condition::None).await;
            assert_eq!(read, Err(OriginError::NotFound));
        }
        assert!(server.heads.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_check_says_in_one_line_what_is_wrong() {
        let server = server(vec![
            refusal("404 Not Found", "NoSuchKey"),
            refusal("403 Forbidden", "AccessDenied"),
            refusal("404 Not Found", "NoSuchBucket"),
            refusal("403 Forbidden", "InvalidAccessKeyId"),
        ])
        .await;
        let endpoint = server.origin.bucket.endpoint.clone().unwrap();
        assert_eq!(server.origin.check().await, Ok(()));
        assert_eq!(server.origin.check().await, Ok(()));
        assert_eq!(
            server.origin.check().await.unwrap_err().to_string(),
            format!("there is no bucket media at {endpoint}")
        );
        assert_eq!(
            server.origin.check().await.unwrap_err().to_string(),
            format!(
                "the credentials are refused for bucket media at {endpoint}: \
                 the origin answered 403 InvalidAccessKeyId: m"
            )
        );
        // The server is gone now.
        let error = server.origin.check().await.unwrap_err().to_string();
        let start = format!("cannot read bucket media at {endpoint}: ");
        assert!(
            error.starts_with(&start) && error.contains("refused"),
            "{error}"
        );
        assert!(!error.contains('\n'));
    }
}

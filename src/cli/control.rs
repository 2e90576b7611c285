//! The control API as the command line uses it: where it is, with which key, one signed request
//! at a time.
//!
//! Requests are those that any AWS tool sends, so what works here works there. They are signed by
//! the SDK's own signer, not by the server's code.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context, anyhow};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{ETAG, HeaderMap, IF_MATCH};
use hyper::{Method, Request, StatusCode};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client as HttpClient, Error as HttpError};
use hyper_util::rt::TokioExecutor;

mod address;
pub(super) mod distributions;
mod refusal;
mod tls;

use address::Address;
use refusal::Refusal;

use crate::api::{APP_HEADER, PORT_HEADER, Players};
use crate::config::{ID_VARIABLE, SECRET_VARIABLE};
use crate::distribution::DEFAULT_APP;

/// For one request in all: the server answers from memory, or after one write to its disk.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The port of RTMP.
const RTMP_PORT: u16 = 1935;

/// The longest answer, bytes: a page of a list has some 100 KiB.
const ANSWER_MAX: usize = 16 << 20;

/// Where the API is, and who asks. The access key comes from the environment only, so that no
/// secret stands in a list of processes.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Access {
    /// The server's API: a URL, or HOST:PORT.
    #[arg(
        long,
        global = true,
        env = "STREAMFRONT_API_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8081",
        help_heading = "The server"
    )]
    api: Address,

    /// Certificates (PEM) to trust beside the system's, where the API is https://.
    #[arg(
        long,
        global = true,
        env = "STREAMFRONT_CA_FILE",
        value_name = "FILE",
        help_heading = "The server"
    )]
    ca_file: Option<PathBuf>,
}

/// A connection to one server's API.
#[derive(Debug)]
pub(super) struct Client {
    http: HttpClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
    address: Address,
    credentials: Credentials,
}

/// What the server answered to a request that it carried out.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// The version of what was asked for, where it has one.
    pub(super) etag: Option<String>,
    /// The document.
    pub(super) body: Bytes,
    /// Where players connect, as far as the server tells it.
    pub(super) players: Players,
}

impl Access {
    /// Whether the environment gives an access key.
    pub(super) fn has_key() -> bool {
        credentials().is_ok()
    }

    /// A client. Nothing is sent yet.
    ///
    /// # Errors
    /// There is no access key, or the certificates cannot be read.
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        let credentials = credentials()?;
        let connector = tls::connector(self.ca_file.as_deref())?;
        Ok(Client {
            http: HttpClient::builder(TokioExecutor::new()).build(connector),
            address: self.api.clone(),
            credentials,
        })
    }
}

fn credentials() -> anyhow::Result<Credentials> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    match (variable(ID_VARIABLE), variable(SECRET_VARIABLE)) {
        (Some(id), Some(secret)) => Ok(Credentials::from_keys(id, secret, None)),
        (None, None) => Err(anyhow!(
            "no access key: set {ID_VARIABLE} and {SECRET_VARIABLE} to one that the server knows"
        )),
        (Some(_), None) => Err(anyhow!(
            "{SECRET_VARIABLE} is not set, and {ID_VARIABLE} is"
        )),
        (None, Some(_)) => Err(anyhow!(
            "{ID_VARIABLE} is not set, and {SECRET_VARIABLE} is"
        )),
    }
}

impl Client {
    /// Sends one request and waits for the answer.
    ///
    /// # Errors
    /// Nobody answers, or the answer is a [`Refusal`].
    pub(super) async fn send(
        &self,
        method: Method,
        target: &str,
        if_match: Option<&str>,
        body: String,
    ) -> anyhow::Result<Answer> {
        let request = self.signed(method, target, if_match, body)?;
        let place = &self.address;
        let asking = async {
            let answer = self
                .http
                .request(request)
                .await
                .map_err(|error| unreachable(place, &error))?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, ANSWER_MAX).collect().await;
            let body = body.map_err(|cause| anyhow!("the answer of {place} broke off: {cause}"))?;
            anyhow::Ok((head, body.to_bytes()))
        };
        let asked = tokio::time::timeout(TIMEOUT, asking).await;
        let (head, body) = asked.map_err(|_| anyhow!("{place} does not answer"))??;
        if !head.status.is_success() {
            return Err(Refusal::read(head.status, &body).into());
        }
        let etag = head.headers.get(ETAG).and_then(|etag| etag.to_str().ok());
        Ok(Answer {
            etag: etag.map(str::to_owned),
            body,
            players: players(&head.headers),
        })
    }

    fn signed(
        &self,
        method: Method,
        target: &str,
        if_match: Option<&str>,
        body: String,
    ) -> anyhow::Result<Request<Full<Bytes>>> {
        let uri = format!("{}{target}", self.address.base());
        let mut headers = Vec::new();
        headers.extend(if_match.map(|etag| (IF_MATCH.as_str(), etag)));
        let identity = self.credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name("cloudfront")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let signable = SignableRequest::new(
            method.as_str(),
            &uri,
            headers.iter().copied(),
            SignableBody::Bytes(body.as_bytes()),
        )?;
        let (signature, _) = sign(signable, &params)
            .context("the request cannot be signed")?
            .into_parts();
        let mut request = Request::builder().method(method).uri(&uri);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut request = request.body(Full::new(Bytes::from(body)))?;
        signature.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}

/// Where players connect; what a server does not tell is as everywhere.
fn players(headers: &HeaderMap) -> Players {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    Players {
        port: text(PORT_HEADER)
            .and_then(|port| port.parse().ok())
            .unwrap_or(RTMP_PORT),
        app: text(APP_HEADER).unwrap_or(DEFAULT_APP).to_owned(),
    }
}

/// Says in one sentence why nobody was reached.
fn unreachable(place: &Address, error: &HttpError) -> anyhow::Error {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let advice = if error.is_connect() {
        ": does the server run, and does --api name its API?"
    } else {
        ""
    };
    anyhow!("cannot reach the API at {place}: {cause}{advice}")
}

/// Whether an error says that there is no such thing.
pub(super) fn is_missing(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<Refusal>()
        .is_some_and(|refusal| refusal.status == StatusCode::NOT_FOUND)
}

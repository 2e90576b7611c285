//! Distributions by the API: signed documents of the newest version, over raw HTTP.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use super::http::Answer;
use super::signing::{Raw, Signer};

/// The path of all distributions.
pub const ALL: &str = "/2020-05-31/streaming-distribution";
/// That of all origin access identities.
pub const IDENTITIES: &str = "/2020-05-31/origin-access-identity/cloudfront";

/// That of all public keys.
pub const PUBLIC_KEYS: &str = "/2020-05-31/public-key";

/// How long a change may take before a test fails. Not the promise, which is a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a distribution is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub reference: String,
    /// The domain name of its bucket.
    pub bucket: String,
    pub identity: Option<String>,
    pub aliases: Vec<String>,
    pub comment: String,
    /// Domain name of the log bucket, and the prefix there.
    pub logging: Option<(String, String)>,
    pub enabled: bool,
    /// `self` and account numbers.
    pub signers: Vec<String>,
}

impl Config {
    /// Enabled, without names, read anonymously.
    pub fn new(reference: &str, bucket: &str) -> Self {
        Self {
            reference: reference.to_owned(),
            bucket: bucket.to_owned(),
            identity: None,
            aliases: Vec::new(),
            comment: String::new(),
            logging: None,
            enabled: true,
            signers: Vec::new(),
        }
    }

    pub fn signers(mut self, signers: &[&str]) -> Self {
        self.signers = signers.iter().map(|&signer| signer.to_owned()).collect();
        self
    }

    pub fn identity(mut self, id: &str) -> Self {
        self.identity = Some(id.to_owned());
        self
    }

    pub fn aliases(mut self, names: &[&str]) -> Self {
        self.aliases = names.iter().map(|&name| name.to_owned()).collect();
        self
    }

    pub fn logging(mut self, bucket: &str, prefix: &str) -> Self {
        self.logging = Some((bucket.to_owned(), prefix.to_owned()));
        self
    }

    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// The document.
    pub fn xml(&self) -> String {
        let identity = self.identity.as_ref();
        let identity = identity.map(|id| format!("origin-access-identity/cloudfront/{id}"));
        let names = self.aliases.iter();
        let logging = self.logging.clone().unwrap_or_default();
        let logging = format!(
            "<Logging><Enabled>{}</Enabled><Bucket>{}</Bucket><Prefix>{}</Prefix></Logging>",
            self.logging.is_some(),
            logging.0,
            logging.1
        );
        let names: String = names.map(|name| format!("<CNAME>{name}</CNAME>")).collect();
        let signers = self.signers.iter();
        let signers: String = signers
            .map(|signer| format!("<AwsAccountNumber>{signer}</AwsAccountNumber>"))
            .collect();
        format!(
            "<StreamingDistributionConfig><CallerReference>{}</CallerReference>\
             <S3Origin><DomainName>{}</DomainName><OriginAccessIdentity>{}</OriginAccessIdentity>\
             </S3Origin><Aliases><Quantity>{}</Quantity><Items>{names}</Items></Aliases>\
             <Comment>{}</Comment>{logging}\
             <TrustedSigners><Enabled>{}</Enabled><Quantity>{}</Quantity><Items>{signers}</Items>\
             </TrustedSigners>\
             <PriceClass>PriceClass_All</PriceClass><Enabled>{}</Enabled>\
             </StreamingDistributionConfig>",
            self.reference,
            self.bucket,
            identity.unwrap_or_default(),
            self.aliases.len(),
            self.comment,
            !self.signers.is_empty(),
            self.signers.len(),
            self.enabled
        )
    }
}

/// A distribution as an answer showed it.
#[derive(Debug, Clone)]
pub struct Made {
    pub id: String,
    pub etag: String,
    pub domain_name: String,
    pub status: String,
}

impl Made {
    /// What a distribution's document says.
    pub fn read(answer: &Answer) -> Self {
        let text = answer.text();
        Self {
            id: member(&text, "Id"),
            etag: answer.header("etag").expect("an ETag").to_owned(),
            domain_name: member(&text, "DomainName"),
            status: member(&text, "Status"),
        }
    }
}

/// The text of the first element of this name.
pub fn member(text: &str, name: &str) -> String {
    members(text, name)
        .next()
        .unwrap_or_else(|| panic!("there is no {name} in {text}"))
        .to_owned()
}

/// The contents of all elements of this name, which do not stand in each other.
pub fn members<'a>(text: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    let parts: Vec<&str> = text.split(&*begin).skip(1).collect();
    parts
        .into_iter()
        .map(move |part| part.split(&*end).next().unwrap_or_default())
}

/// The API of a server, with a key.
#[derive(Debug, Clone)]
pub struct Control {
    pub api: SocketAddr,
    pub signer: Signer,
}

impl Control {
    /// With the operator's key.
    pub fn operator(api: SocketAddr) -> Self {
        let signer = Signer::default();
        Self { api, signer }
    }

    /// A signed request.
    pub fn request(&self, method: &str, path: &str, etag: Option<&str>, body: &str) -> Raw {
        let mut raw = Raw::new(self.api, method, path).body(body.as_bytes());
        if let Some(etag) = etag {
            raw = raw.with("if-match", etag);
        }
        let time = SystemTime::now();
        Signer {
            time,
            ..self.signer.clone()
        }
        .sign(raw)
    }

    pub fn call(&self, method: &str, path: &str, etag: Option<&str>, body: &str) -> Answer {
        self.request(method, path, etag, body).send(self.api)
    }

    pub fn create(&self, config: &Config) -> Made {
        let answer = self.call("POST", ALL, None, &config.xml());
        assert_eq!(answer.status, 201, "{}", answer.text());
        Made::read(&answer)
    }

    pub fn get(&self, id: &str) -> Made {
        let answer = self.call("GET", &format!("{ALL}/{id}"), None, "");
        assert_eq!(answer.status, 200, "{}", answer.text());
        Made::read(&answer)
    }

    pub fn update(&self, made: &Made, config: &Config) -> Made {
        let path = format!("{ALL}/{}/config", made.id);
        let answer = self.call("PUT", &path, Some(&made.etag), &config.xml());
        assert_eq!(answer.status, 200, "{}", answer.text());
        Made::read(&answer)
    }

    pub fn delete(&self, made: &Made) {
        let path = format!("{ALL}/{}", made.id);
        let answer = self.call("DELETE", &path, Some(&made.etag), "");
        assert_eq!(answer.status, 204, "{}", answer.text());
    }

    /// Waits until this server serves it as it is.
    pub fn deployed(&self, made: &Made) {
        let end = Instant::now() + PATIENCE;
        while self.get(&made.id).status != "Deployed" {
            assert!(Instant::now() < end, "{made:?} is not deployed");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Created, and served.
    pub fn serve(&self, config: &Config) -> Made {
        let made = self.create(config);
        self.deployed(&made);
        made
    }

    /// Updated, and served so.
    pub fn change(&self, made: &Made, config: &Config) -> Made {
        let made = self.update(made, config);
        self.deployed(&made);
        made
    }

    /// A new public key; the answer.
    pub fn public_key(&self, name: &str, pem: &str) -> Answer {
        let body = format!(
            "<PublicKeyConfig><CallerReference>{name}</CallerReference><Name>{name}</Name>\
             <EncodedKey>{pem}</EncodedKey><Comment/></PublicKeyConfig>"
        );
        let answer = self.call("POST", PUBLIC_KEYS, None, &body);
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer
    }

    /// A new origin access identity.
    pub fn identity(&self, reference: &str) -> String {
        let body = format!(
            "<CloudFrontOriginAccessIdentityConfig><CallerReference>{reference}</CallerReference>\
             <Comment/></CloudFrontOriginAccessIdentityConfig>"
        );
        let answer = self.call("POST", IDENTITIES, None, &body);
        assert_eq!(answer.status, 201, "{}", answer.text());
        member(&answer.text(), "Id")
    }
}

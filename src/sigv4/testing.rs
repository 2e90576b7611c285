//! Amazon's own signer, for tests: an implementation that is not ours.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;

/// What is signed, by whom, when and for which service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signing<'a> {
    pub(crate) key_id: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) service: &'a str,
    /// Seconds since 1970.
    pub(crate) time: i64,
}

impl Signing<'_> {
    /// The headers that the signature adds to a request for `url`.
    pub(crate) fn headers(
        &self,
        method: &str,
        url: &str,
        headers: &[(String, Vec<u8>)],
        body: &[u8],
    ) -> Vec<(String, String)> {
        let credentials = Credentials::new(self.key_id, self.secret, None, None, "test").into();
        let params = SigningParams::builder()
            .identity(&credentials)
            .region("eu-west-1")
            .name(self.service)
            .time(UNIX_EPOCH + Duration::from_secs(self.time.unsigned_abs()))
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let headers = headers.iter();
        let headers = headers.map(|(name, value)| (&name[..], str::from_utf8(value).unwrap()));
        let body = SignableBody::Bytes(body);
        let request = SignableRequest::new(method, url, headers, body).unwrap();
        let (instructions, _) = sign(request, &params).unwrap().into_parts();
        let (added, _) = instructions.into_parts();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        added.iter().map(|h| pair(h.name(), h.value())).collect()
    }
}

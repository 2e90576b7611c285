//! Which operation a request names, by its method, its path and its query.

use axum::http::{Method, StatusCode};
use percent_encoding::percent_decode_str;

use crate::api::error::ApiError;
use crate::api::query::{Query, argument};
use crate::api::version::Version;
use crate::store::Kind;

/// Resources that CloudFront has and this server has not: the first part of their paths.
const NOT_OFFERED: &[&str] = &[
    "anycast-ip-list",
    "cache-policy",
    "conflicting-alias",
    "connection-function",
    "connection-functions",
    "connection-group",
    "connection-groups",
    "continuous-deployment-policy",
    "delete-realtime-log-config",
    "delete-resource-policy",
    "distribution",
    "distribution-tenant",
    "distribution-tenants",
    "distribution-tenants-by-customization",
    "distributions",
    "distributionsByAnycastIpListId",
    "distributionsByCachePolicyId",
    "distributionsByConnectionFunction",
    "distributionsByConnectionMode",
    "distributionsByKeyGroupId",
    "distributionsByOriginRequestPolicyId",
    "distributionsByOwnedResource",
    "distributionsByRealtimeLogConfig",
    "distributionsByResponseHeadersPolicyId",
    "distributionsByTrustStore",
    "distributionsByVpcOriginId",
    "distributionsByWebACLId",
    "domain-association",
    "domain-conflicts",
    "field-level-encryption",
    "field-level-encryption-profile",
    "function",
    "get-realtime-log-config",
    "get-resource-policy",
    "key-value-store",
    "managed-certificate",
    "origin-access-control",
    "origin-request-policy",
    "put-resource-policy",
    "realtime-log-config",
    "response-headers-policy",
    "trust-store",
    "trust-stores",
    "verify-dns-configuration",
    "vpc-origin",
];

/// An operation; ids and ARNs as given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation {
    Create(Kind),
    CreateWithTags,
    List(Kind),
    Get(Kind, String),
    GetConfig(Kind, String),
    Update(Kind, String),
    Delete(Kind, String),
    Tag(String),
    Untag(String),
    ListTags(String),
}

impl Operation {
    /// The operation of `method` on `path`, which is what follows the version and its slash.
    pub(super) fn of(
        method: &Method,
        version: Version,
        path: &str,
        query: &Query,
    ) -> Result<Self, ApiError> {
        let parts: Vec<String> = path.split('/').map(part).collect::<Result<_, _>>()?;
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (kind, below) = match parts.as_slice() {
            ["streaming-distribution", below @ ..] => (Kind::Streaming, below),
            ["origin-access-identity", "cloudfront", below @ ..] => (Kind::Identity, below),
            ["public-key", below @ ..] if version.has_public_keys() => (Kind::PublicKey, below),
            ["key-group", below @ ..] if version.has_key_groups() => (Kind::KeyGroup, below),
            ["tagging"] if version.has_tags() => return Self::tagging(method, query),
            [first, ..] if NOT_OFFERED.contains(first) => return Err(not_offered(first)),
            _ => return Err(unknown(version, path)),
        };
        match below {
            [] => Self::all(method, version, kind, query),
            [id] => Self::one(method, kind, id),
            [id, "config"] => Self::config(method, kind, id),
            _ => Err(unknown(version, path)),
        }
    }

    fn all(method: &Method, version: Version, kind: Kind, query: &Query) -> Result<Self, ApiError> {
        let tags = kind == Kind::Streaming && query.get("WithTags").is_some();
        match *method {
            Method::GET => Ok(Self::List(kind)),
            Method::POST if tags && version.has_tags() => Ok(Self::CreateWithTags),
            Method::POST if tags => Err(unknown(version, "streaming-distribution?WithTags")),
            Method::POST => Ok(Self::Create(kind)),
            _ => Err(no_method(method, "GET and POST")),
        }
    }

    fn one(method: &Method, kind: Kind, id: &str) -> Result<Self, ApiError> {
        let id = id.to_owned();
        match (method, kind) {
            (&Method::GET, _) => Ok(Self::Get(kind, id)),
            (&Method::DELETE, _) => Ok(Self::Delete(kind, id)),
            // Alone among its neighbours.
            (&Method::PUT, Kind::KeyGroup) => Ok(Self::Update(kind, id)),
            (_, Kind::KeyGroup) => Err(no_method(method, "GET, PUT and DELETE")),
            _ => Err(no_method(method, "GET and DELETE")),
        }
    }

    fn config(method: &Method, kind: Kind, id: &str) -> Result<Self, ApiError> {
        let id = id.to_owned();
        match (method, kind) {
            (&Method::GET, _) => Ok(Self::GetConfig(kind, id)),
            (_, Kind::KeyGroup) => Err(no_method(method, "GET")),
            (&Method::PUT, _) => Ok(Self::Update(kind, id)),
            _ => Err(no_method(method, "GET and PUT")),
        }
    }

    fn tagging(method: &Method, query: &Query) -> Result<Self, ApiError> {
        if !matches!(*method, Method::GET | Method::POST) {
            return Err(no_method(method, "GET and POST"));
        }
        let arn = query.get("Resource").unwrap_or_default().to_owned();
        if !arn.starts_with("arn:") {
            return Err(argument("the parameter Resource must be an ARN"));
        }
        match (method, query.get("Operation")) {
            (&Method::GET, _) => Ok(Self::ListTags(arn)),
            (_, Some("Tag")) => Ok(Self::Tag(arn)),
            (_, Some("Untag")) => Ok(Self::Untag(arn)),
            _ => Err(argument("the parameter Operation must be Tag or Untag")),
        }
    }

    /// The actions that the caller must be allowed, each of them.
    pub(super) fn actions(&self) -> Vec<String> {
        let name = match self {
            Self::Create(kind) => format!("Create{}", noun(*kind)),
            Self::CreateWithTags => "CreateStreamingDistribution".to_owned(),
            Self::List(Kind::Identity) => "ListCloudFrontOriginAccessIdentities".to_owned(),
            Self::List(kind) => format!("List{}s", noun(*kind)),
            Self::Get(kind, _) => format!("Get{}", noun(*kind)),
            Self::GetConfig(kind, _) => format!("Get{}Config", noun(*kind)),
            Self::Update(kind, _) => format!("Update{}", noun(*kind)),
            Self::Delete(kind, _) => format!("Delete{}", noun(*kind)),
            Self::Tag(_) => "TagResource".to_owned(),
            Self::Untag(_) => "UntagResource".to_owned(),
            Self::ListTags(_) => "ListTagsForResource".to_owned(),
        };
        let mut actions = vec![format!("cloudfront:{name}")];
        if *self == Self::CreateWithTags {
            actions.push("cloudfront:TagResource".to_owned());
        }
        actions
    }
}

fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::Streaming => "StreamingDistribution",
        Kind::Identity => "CloudFrontOriginAccessIdentity",
        Kind::PublicKey => "PublicKey",
        Kind::KeyGroup => "KeyGroup",
    }
}

/// One part of a path.
fn part(text: &str) -> Result<String, ApiError> {
    match percent_decode_str(text).decode_utf8() {
        Ok(part) if !part.is_empty() => Ok(part.into_owned()),
        _ => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "InvalidURI",
            "a part of the path is empty or not UTF-8: there is a slash too many, or at the end",
        )),
    }
}

fn not_offered(resource: &str) -> ApiError {
    let cause = format!(
        "this server has streaming distributions, and of CloudFront's other resources origin \
         access identities, public keys and key groups; it does not have {resource}"
    );
    ApiError::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", cause)
}

fn unknown(version: Version, path: &str) -> ApiError {
    let cause = format!("version {version} of the API has no resource {path:?}");
    ApiError::new(StatusCode::NOT_FOUND, "UnknownOperationException", cause)
}

fn no_method(method: &Method, known: &str) -> ApiError {
    let cause = format!("this resource has {known}, and not {method}");
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(line: &str) -> Result<Operation, ApiError> {
        let (method, target) = line.split_once(' ').unwrap();
        let (version, rest) = target.split_once('/').unwrap();
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let version = Version::parse(version).unwrap();
        Operation::of(&method, version, path, &Query::parse(query).unwrap())
    }

    #[test]
    fn each_operation_has_its_method_and_path_and_action() {
        let x = || "X".to_owned();
        let arn = || "arn:aws:x".to_owned();
        let identity = "2009-12-01/origin-access-identity/cloudfront";
        for (line, operation, action) in [
            (
                "POST 2009-12-01/streaming-distribution",
                Operation::Create(Kind::Streaming),
                "CreateStreamingDistribution",
            ),
            (
                "GET 2009-12-01/streaming-distribution?Marker=a",
                Operation::List(Kind::Streaming),
                "ListStreamingDistributions",
            ),
            (
                "GET 2009-12-01/streaming-distribution/%58",
                Operation::Get(Kind::Streaming, x()),
                "GetStreamingDistribution",
            ),
            (
                "GET 2020-05-31/streaming-distribution/X/config",
                Operation::GetConfig(Kind::Streaming, x()),
                "GetStreamingDistributionConfig",
            ),
            (
                "PUT 2020-05-31/streaming-distribution/X/config",
                Operation::Update(Kind::Streaming, x()),
                "UpdateStreamingDistribution",
            ),
            (
                "DELETE 2020-05-31/streaming-distribution/X",
                Operation::Delete(Kind::Streaming, x()),
                "DeleteStreamingDistribution",
            ),
            (
                &format!("GET {identity}"),
                Operation::List(Kind::Identity),
                "ListCloudFrontOriginAccessIdentities",
            ),
            (
                &format!("PUT {identity}/X/config"),
                Operation::Update(Kind::Identity, x()),
                "UpdateCloudFrontOriginAccessIdentity",
            ),
            (
                "GET 2017-10-30/public-key",
                Operation::List(Kind::PublicKey),
                "ListPublicKeys",
            ),
            (
                "PUT 2020-05-31/key-group/X",
                Operation::Update(Kind::KeyGroup, x()),
                "UpdateKeyGroup",
            ),
            (
                "POST 2016-08-01/tagging?Operation=Tag&Resource=arn%3Aaws%3Ax",
                Operation::Tag(arn()),
                "TagResource",
            ),
            (
                "POST 2016-08-01/tagging?Operation=Untag&Resource=arn%3Aaws%3Ax",
                Operation::Untag(arn()),
                "UntagResource",
            ),
            (
                "GET 2016-08-01/tagging?Resource=arn:aws:x",
                Operation::ListTags(arn()),
                "ListTagsForResource",
            ),
        ] {
            let found = of(line).unwrap();
            assert_eq!(found, operation, "{line}");
            assert_eq!(found.actions(), [format!("cloudfront:{action}")], "{line}");
        }
        let create = of("POST 2016-08-01/streaming-distribution?WithTags").unwrap();
        assert_eq!(create, Operation::CreateWithTags);
        let actions = ["CreateStreamingDistribution", "TagResource"];
        assert_eq!(
            create.actions(),
            actions.map(|it| format!("cloudfront:{it}"))
        );
    }

    #[test]
    fn what_is_no_operation_says_why() {
        let (uri, none, not) = (
            "InvalidURI",
            "UnknownOperationException",
            "MethodNotAllowed",
        );
        for (line, status, code) in [
            ("GET 2020-05-31/", 400, uri),
            ("GET 2020-05-31/streaming-distribution/", 400, uri),
            ("GET 2020-05-31//streaming-distribution", 400, uri),
            ("GET 2020-05-31/streaming-distribution/X/", 400, uri),
            ("GET 2020-05-31/streaming-distribution/%ff", 400, uri),
            ("GET 2020-05-31/streaming-distribution/X/configs", 404, none),
            ("GET 2020-05-31/Streaming-Distribution", 404, none),
            ("GET 2020-05-31/origin-access-identity", 404, none),
            ("GET 2017-10-29/public-key", 404, none),
            ("GET 2020-05-30/key-group", 404, none),
            ("GET 2016-07-31/tagging?Resource=arn:x", 404, none),
            ("POST 2016-07-31/streaming-distribution?WithTags", 404, none),
            ("POST 2020-05-31/distribution", 501, "NotImplemented"),
            (
                "GET 2020-05-31/distribution/X/invalidation",
                501,
                "NotImplemented",
            ),
            ("PUT 2020-05-31/streaming-distribution", 405, not),
            ("HEAD 2020-05-31/streaming-distribution", 405, not),
            ("OPTIONS 2020-05-31/streaming-distribution/X", 405, not),
            ("PUT 2020-05-31/streaming-distribution/X", 405, not),
            ("POST 2020-05-31/streaming-distribution/X/config", 405, not),
            ("PUT 2020-05-31/key-group/X/config", 405, not),
            ("POST 2020-05-31/key-group/X", 405, not),
            ("DELETE 2020-05-31/tagging?Resource=arn:x", 405, not),
            ("GET 2020-05-31/tagging", 400, "InvalidArgument"),
            ("GET 2020-05-31/tagging?Resource=x", 400, "InvalidArgument"),
            (
                "POST 2020-05-31/tagging?Resource=arn:x",
                400,
                "InvalidArgument",
            ),
            (
                "POST 2020-05-31/tagging?Resource=arn:x&Operation=tag",
                400,
                "InvalidArgument",
            ),
        ] {
            let error = of(line).unwrap_err();
            assert_eq!(
                (error.status.as_u16(), error.code),
                (status, code),
                "{line}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_path_is_a_surprise(path in "([a-z/%0-9-]|\\PC){0,60}") {
            let _ = Operation::of(&Method::GET, Version::NEWEST, &path, &Query::default());
        }
    }
}

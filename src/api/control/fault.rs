//! What is answered when a document or the registry refuses: the one place that knows the codes
//! and statuses of CloudFront's errors (cloudfront.md, sections 5.5 and 5.6).

use axum::http::StatusCode;

use crate::api::document::DocumentError;
use crate::api::error::ApiError;
use crate::distribution::streaming::ConfigFault;
use crate::registry::RegistryError;
use crate::store::Kind;

const BAD: StatusCode = StatusCode::BAD_REQUEST;
const CONFLICT: StatusCode = StatusCode::CONFLICT;
const FORBIDDEN: StatusCode = StatusCode::FORBIDDEN;
const NOT_FOUND: StatusCode = StatusCode::NOT_FOUND;
const STALE: StatusCode = StatusCode::PRECONDITION_FAILED;
const UNAVAILABLE: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

impl From<DocumentError> for ApiError {
    fn from(error: DocumentError) -> Self {
        let code = match error {
            DocumentError::Empty => "MissingBody",
            DocumentError::Xml(_) => "MalformedXML",
            DocumentError::Quantity { .. } => "InconsistentQuantities",
            DocumentError::Identity(_) => "InvalidOriginAccessIdentity",
            DocumentError::Tagging(_) => "InvalidTagging",
            DocumentError::Root { .. }
            | DocumentError::Unknown(_)
            | DocumentError::Twice(_)
            | DocumentError::Missing(_)
            | DocumentError::Value { .. } => "InvalidArgument",
        };
        Self::new(BAD, code, error.to_string())
    }
}

impl From<RegistryError> for ApiError {
    fn from(error: RegistryError) -> Self {
        if let RegistryError::Store(cause) = &error {
            // Whose disk is full is not the caller's concern: that goes to the log.
            tracing::error!(%cause, "a change could not be kept");
            let message = "the change could not be kept; nothing was changed";
            return Self::new(UNAVAILABLE, "ServiceUnavailable", message);
        }
        let (status, code) = code(&error);
        Self::new(status, code, error.to_string())
    }
}

fn code(error: &RegistryError) -> (StatusCode, &'static str) {
    match error {
        RegistryError::Fault(fault) => (BAD, fault_code(fault)),
        RegistryError::Argument(_) => (BAD, "InvalidArgument"),
        RegistryError::NotFound(kind) => (NOT_FOUND, no_such(*kind)),
        RegistryError::NoResource => (NOT_FOUND, "NoSuchResource"),
        RegistryError::Exists(kind, _) => (CONFLICT, exists(*kind)),
        RegistryError::AliasTaken(_) => (CONFLICT, "CNAMEAlreadyExists"),
        RegistryError::TooMany(kind, _) => (BAD, too_many(*kind)),
        RegistryError::NoSigner(_) => (BAD, "TrustedSignerDoesNotExist"),
        RegistryError::NoIdentity(_) => (BAD, "InvalidOriginAccessIdentity"),
        RegistryError::BadIfMatch => (BAD, "InvalidIfMatchVersion"),
        RegistryError::Stale => (STALE, "PreconditionFailed"),
        RegistryError::NotDisabled => (CONFLICT, "StreamingDistributionNotDisabled"),
        RegistryError::InUse(kind, _) => (CONFLICT, in_use(*kind)),
        RegistryError::Immutable => (BAD, "CannotChangeImmutablePublicKeyFields"),
        RegistryError::IllegalUpdate(_) => (BAD, "IllegalUpdate"),
        RegistryError::Tagging(_) => (BAD, "InvalidTagging"),
        RegistryError::ReadOnly => (FORBIDDEN, "AccessDenied"),
        RegistryError::Store(_) => (UNAVAILABLE, "ServiceUnavailable"),
    }
}

fn fault_code(fault: &ConfigFault) -> &'static str {
    match fault {
        ConfigFault::Argument(_) => "InvalidArgument",
        ConfigFault::Origin(_) => "InvalidOrigin",
        ConfigFault::TooManyAliases => "TooManyStreamingDistributionCNAMEs",
        ConfigFault::TooManySigners => "TooManyTrustedSigners",
        ConfigFault::IllegalUpdate(_) => "IllegalUpdate",
    }
}

fn no_such(kind: Kind) -> &'static str {
    match kind {
        Kind::Streaming => "NoSuchStreamingDistribution",
        Kind::Identity => "NoSuchCloudFrontOriginAccessIdentity",
        Kind::PublicKey => "NoSuchPublicKey",
        Kind::KeyGroup => "NoSuchResource",
    }
}

fn exists(kind: Kind) -> &'static str {
    match kind {
        Kind::Streaming => "StreamingDistributionAlreadyExists",
        Kind::Identity => "CloudFrontOriginAccessIdentityAlreadyExists",
        Kind::PublicKey => "PublicKeyAlreadyExists",
        Kind::KeyGroup => "KeyGroupAlreadyExists",
    }
}

fn too_many(kind: Kind) -> &'static str {
    match kind {
        Kind::Streaming => "TooManyStreamingDistributions",
        Kind::Identity => "TooManyCloudFrontOriginAccessIdentities",
        Kind::PublicKey => "TooManyPublicKeys",
        Kind::KeyGroup => "TooManyKeyGroups",
    }
}

fn in_use(kind: Kind) -> &'static str {
    match kind {
        Kind::Identity => "CloudFrontOriginAccessIdentityInUse",
        Kind::PublicKey => "PublicKeyInUse",
        // Nothing refers to these today.
        Kind::Streaming | Kind::KeyGroup => "ResourceInUse",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    #[test]
    fn every_refusal_has_its_code_and_status() {
        let text = String::new;
        let kinds = [
            Kind::Streaming,
            Kind::Identity,
            Kind::PublicKey,
            Kind::KeyGroup,
        ];
        let mut cases = vec![
            (RegistryError::Argument(text()), 400, "InvalidArgument"),
            (RegistryError::NoResource, 404, "NoSuchResource"),
            (RegistryError::AliasTaken(text()), 409, "CNAMEAlreadyExists"),
            (
                RegistryError::NoSigner(text()),
                400,
                "TrustedSignerDoesNotExist",
            ),
            (
                RegistryError::NoIdentity(text()),
                400,
                "InvalidOriginAccessIdentity",
            ),
            (RegistryError::BadIfMatch, 400, "InvalidIfMatchVersion"),
            (RegistryError::Stale, 412, "PreconditionFailed"),
            (
                RegistryError::NotDisabled,
                409,
                "StreamingDistributionNotDisabled",
            ),
            (
                RegistryError::Immutable,
                400,
                "CannotChangeImmutablePublicKeyFields",
            ),
            (RegistryError::IllegalUpdate(text()), 400, "IllegalUpdate"),
            (RegistryError::Tagging(text()), 400, "InvalidTagging"),
            (RegistryError::ReadOnly, 403, "AccessDenied"),
            (StoreError::Conflict.into(), 503, "ServiceUnavailable"),
        ];
        let faults = [
            (ConfigFault::Argument(text()), "InvalidArgument"),
            (ConfigFault::Origin(text()), "InvalidOrigin"),
            (
                ConfigFault::TooManyAliases,
                "TooManyStreamingDistributionCNAMEs",
            ),
            (ConfigFault::TooManySigners, "TooManyTrustedSigners"),
            (ConfigFault::IllegalUpdate(""), "IllegalUpdate"),
        ];
        cases.extend(faults.map(|(fault, code)| (fault.into(), 400, code)));
        for (kind, none, exists, many) in [
            (
                kinds[0],
                "NoSuchStreamingDistribution",
                "StreamingDistributionAlreadyExists",
                "TooManyStreamingDistributions",
            ),
            (
                kinds[1],
                "NoSuchCloudFrontOriginAccessIdentity",
                "CloudFrontOriginAccessIdentityAlreadyExists",
                "TooManyCloudFrontOriginAccessIdentities",
            ),
            (
                kinds[2],
                "NoSuchPublicKey",
                "PublicKeyAlreadyExists",
                "TooManyPublicKeys",
            ),
            (
                kinds[3],
                "NoSuchResource",
                "KeyGroupAlreadyExists",
                "TooManyKeyGroups",
            ),
        ] {
            cases.push((RegistryError::NotFound(kind), 404, none));
            cases.push((RegistryError::Exists(kind, text()), 409, exists));
            cases.push((RegistryError::TooMany(kind, 1), 400, many));
        }
        let identity = RegistryError::InUse(Kind::Identity, text());
        cases.push((identity, 409, "CloudFrontOriginAccessIdentityInUse"));
        let key = RegistryError::InUse(Kind::PublicKey, text());
        cases.push((key, 409, "PublicKeyInUse"));
        for (error, status, code) in cases {
            let shown = format!("{error:?}");
            let api = ApiError::from(error);
            assert_eq!((api.status.as_u16(), api.code), (status, code), "{shown}");
        }
    }

    #[test]
    fn what_the_disk_said_is_not_answered() {
        let error = StoreError::Unavailable("/var/lib: no space".into());
        let api = ApiError::from(RegistryError::Store(error));
        assert!(!api.message.contains("/var"), "{api}");
    }
}

//! Who calls the control API, and what they may do.

use std::sync::Arc;

use crate::distribution::AccountId;

/// Whoever signed a request: an extension of each request that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account that the access key belongs to.
    pub account: AccountId,
    /// The access key's id.
    pub key_id: Arc<str>,
    /// Patterns of actions that the key may do: `cloudfront:GetStreamingDistribution`,
    /// `cloudfront:Get*`, `*`.
    pub allow: Arc<[String]>,
}

impl Caller {
    /// Whether the caller may do `action`, such as `cloudfront:GetStreamingDistribution`. `*` in a
    /// pattern stands for any characters.
    pub fn may(&self, action: &str) -> bool {
        self.allow.iter().any(|pattern| matches(pattern, action))
    }
}

fn matches(pattern: &str, action: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = action.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some((_, behind)) = rest.split_once(part) else {
            return false;
        };
        rest = behind;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_actions() {
        for (pattern, action, expected) in [
            ("*", "cloudfront:GetStreamingDistribution", true),
            ("cloudfront:*", "cloudfront:X", true),
            (
                "cloudfront:Get*",
                "cloudfront:GetStreamingDistribution",
                true,
            ),
            (
                "cloudfront:Get*",
                "cloudfront:ListStreamingDistributions",
                false,
            ),
            (
                "cloudfront:*Streaming*",
                "cloudfront:GetStreamingDistribution",
                true,
            ),
            (
                "cloudfront:*Config",
                "cloudfront:GetStreamingDistribution",
                false,
            ),
            ("cloudfront:Get", "cloudfront:GetX", false),
            ("a*a", "a", false),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, action), expected, "{pattern} {action}");
        }
    }
}

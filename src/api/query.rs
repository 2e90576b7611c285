//! The parameters of a query.

use axum::http::StatusCode;
use percent_encoding::percent_decode_str;

use crate::api::error::ApiError;

/// Items of a page, and the most that one may have. (CloudFront's own figure.)
const MAX_ITEMS: usize = 100;

/// The parameters of a query, decoded. Those that nobody asks for mean nothing, as with CloudFront.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads what follows the question mark. `WithTags` is the same as `WithTags=`.
    pub(super) fn parse(text: &str) -> Result<Self, ApiError> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for part in text.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if parameters.iter().any(|(other, _)| *other == name) {
                return Err(argument(format!("the parameter {name} is given twice")));
            }
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }

    /// The value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Makes sure that there are no parameters but these: for calls of our own, where a misspelled
    /// one would be taken for one that is missing.
    pub(super) fn only(&self, names: &[&str]) -> Result<(), ApiError> {
        let unknown = self.0.iter().find(|(name, _)| !names.contains(&&**name));
        unknown.map_or(Ok(()), |(name, _)| {
            let names = names.join(", ");
            Err(argument(format!(
                "there is no parameter {name}; there are {names}"
            )))
        })
    }

    /// The most items that a page may have.
    pub(super) fn max_items(&self) -> Result<usize, ApiError> {
        let Some(text) = self.get("MaxItems") else {
            return Ok(MAX_ITEMS);
        };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // More digits than a number holds are more than the most, too.
        let number = text.parse().unwrap_or(usize::MAX);
        if digits && number > 0 {
            Ok(number.min(MAX_ITEMS))
        } else {
            Err(argument("MaxItems is a number from 1 on"))
        }
    }
}

/// A value as tools write it: `+` is a space, and the rest by percent signs.
fn decode(text: &str) -> Result<String, ApiError> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| argument("the query is not UTF-8"))
}

/// A value that cannot be.
pub(super) fn argument(cause: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "InvalidArgument", cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parameters_with_and_without_values() {
        let query = Query::parse("WithTags&Resource=arn%3Aaws%3Ax&Marker=&&x=a=b").unwrap();
        assert_eq!(query.get("WithTags"), Some(""));
        assert_eq!(query.get("Resource"), Some("arn:aws:x"));
        assert_eq!(query.get("Marker"), Some(""));
        assert_eq!(query.get("x"), Some("a=b"));
        assert_eq!(query.get("withtags"), None);
        for text in ["a=1&a=2", "a=%ff", "%ff", "a&%61"] {
            let error = Query::parse(text).unwrap_err();
            assert_eq!(error.code, "InvalidArgument", "{text}");
        }
    }

    #[test]
    fn pages_have_one_to_a_hundred_items() {
        let most = |query: &str| Query::parse(query).unwrap().max_items().ok();
        assert_eq!(most(""), Some(100));
        assert_eq!(most("MaxItems=1"), Some(1));
        assert_eq!(most("MaxItems=100"), Some(100));
        assert_eq!(most("MaxItems=101"), Some(100));
        assert_eq!(most("MaxItems=99999999999999999999999"), Some(100));
        for value in ["", "0", "-1", "+1", "1.0", "all", "%201"] {
            assert_eq!(most(&format!("MaxItems={value}")), None, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn no_query_is_a_surprise(text in "[A-Za-z=&%+0-9\\PC]{0,60}") {
            if let Ok(query) = Query::parse(&text) {
                let _ = query.max_items();
            }
        }
    }
}

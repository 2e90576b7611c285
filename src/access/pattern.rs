//! Resources of custom policies: `*` stands for any characters, none and slashes too, `?` for
//! exactly one (cloudfront.md, section 3.3).
//!
//! All places of the pattern that a text may have come to are followed at once, a bit for each, and
//! each character moves them all on. So a match takes the characters of the text times the 64ths of
//! those of the pattern, whatever stands in them. The policy of a name, and so its pattern, has
//! less than [`QUERY_BYTES`](super::claim::QUERY_BYTES): 64 words at the most.

use std::collections::HashMap;

/// Bits of a word.
const BITS: usize = 64;

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    /// Characters that a text needs, `?` among them.
    length: usize,
    /// Bit n is set where character n of the pattern, counted from 0, may be this one.
    letters: HashMap<char, Box<[u64]>>,
    /// The same for any other character: those that are `?`.
    any: Box<[u64]>,
    /// Bit n is set where a `*` stands after n characters of the pattern.
    stars: Box<[u64]>,
}

impl Pattern {
    /// Reads a pattern; every text is one.
    pub fn new(text: &str) -> Self {
        let length = text.chars().filter(|sign| *sign != '*').count();
        // One place more than characters: the end.
        let words = (length / BITS).saturating_add(1);
        let none = || vec![0; words].into_boxed_slice();
        let mut pattern = Self {
            text: text.to_owned(),
            length,
            letters: HashMap::new(),
            any: none(),
            stars: none(),
        };
        let mut place = 0_usize;
        for sign in text.chars() {
            match sign {
                '*' => {
                    set(&mut pattern.stars, place);
                    continue;
                }
                '?' => set(&mut pattern.any, place),
                letter => set(pattern.letters.entry(letter).or_insert_with(none), place),
            }
            place = place.saturating_add(1);
        }
        for letters in pattern.letters.values_mut() {
            let both = letters.iter_mut().zip(&pattern.any);
            both.for_each(|(letters, any)| *letters |= any);
        }
        pattern
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it stands for the whole of `text`.
    pub fn matches(&self, text: &str) -> bool {
        let mut places = vec![0_u64; self.any.len()];
        set(&mut places, 0);
        for letter in text.chars() {
            let takes = self.letters.get(&letter).unwrap_or(&self.any);
            let mut carried = 0;
            for ((places, takes), stars) in places.iter_mut().zip(takes).zip(&self.stars) {
                let moved = *places & takes;
                let stayed = *places & stars;
                *places = (moved << 1) | carried | stayed;
                carried = moved >> 63;
            }
        }
        is_set(&places, self.length)
    }
}

fn set(words: &mut [u64], place: usize) {
    if let Some(word) = words.get_mut(place / BITS) {
        *word |= 1 << (place % BITS);
    }
}

fn is_set(words: &[u64], place: usize) -> bool {
    let word = words.get(place / BITS);
    word.is_some_and(|word| word >> (place % BITS) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slow(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((&'*', rest)), _) => {
                slow(rest, text) || (!text.is_empty() && slow(pattern, &text[1..]))
            }
            (Some((&'?', pattern)), Some((_, text))) => slow(pattern, text),
            (Some((a, pattern)), Some((b, text))) => a == b && slow(pattern, text),
            _ => false,
        }
    }

    #[test]
    fn patterns_over_names() {
        for (pattern, text, matches) in [
            ("*", "", true),
            ("*", "training/a.mp4", true),
            ("training/*", "training/a/b.mp4", true),
            ("training/*", "training", false),
            ("training/?.mp4", "training/ä.mp4", true),
            ("training/?.mp4", "training/.mp4", false),
            ("http://*", "training/a.mp4", false),
            ("", "", true),
            ("", "a", false),
            ("a", "A", false),
            ("*.mp4", ".mp4.mp4", true),
            ("a**b", "ab", true),
        ] {
            assert_eq!(
                Pattern::new(pattern).matches(text),
                matches,
                "{pattern} {text}"
            );
        }
        let long = "ab?".repeat(100);
        assert!(Pattern::new(&long).matches(&"abc".repeat(100)));
        assert!(!Pattern::new(&long).matches(&"abc".repeat(99)));
        assert!(Pattern::new(&format!("*{long}*")).matches(&"abc".repeat(200)));
    }

    /// A minute is no assertion of a time: what went back for each star would take longer than the
    /// world is old.
    #[test]
    fn many_stars_end() {
        let pattern = Pattern::new(&"a*".repeat(2000));
        assert!(!pattern.matches(&format!("{}b", "a".repeat(1999))));
        assert!(pattern.matches(&"a".repeat(6000)));
    }

    proptest! {
        #[test]
        fn it_says_what_the_slow_one_says(pattern in "[ab*?]{0,8}", text in "[abc]{0,10}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let expected = slow(&chars(&pattern), &chars(&text));
            prop_assert_eq!(Pattern::new(&pattern).matches(&text), expected);
        }

        /// Across the borders of words.
        #[test]
        fn long_ones_too(before in 0_usize..140, stars in 0_usize..3, text in "[ab]{0,8}", more in "[ab*?]{0,8}") {
            let same = "a".repeat(before);
            let pattern = format!("{same}{}{more}", "*".repeat(stars));
            let expected = {
                let rest: Vec<char> = format!("{}{more}", "*".repeat(stars)).chars().collect();
                slow(&rest, &text.chars().collect::<Vec<_>>())
            };
            prop_assert_eq!(Pattern::new(&pattern).matches(&format!("{same}{text}")), expected);
        }
    }
}

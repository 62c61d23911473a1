// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the program says of what it does not take: the problem, the rule and the fix.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// What breaks which rule, and what to do instead.
pub type Refusal = Refused<()>;

/// A [`Refusal`], or one of a value in a text, whose label `L` stands at its place: an
/// [`Invalid`](crate::model::Invalid).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused<L> {
    /// What was given and what is wrong with it, as the headline of an error.
    pub problem: String,
    /// A few words to stand under the offending text.
    pub label: L,
    /// The rule that it breaks, with its source.
    pub rule: String,
    /// What to do instead.
    pub fix: String,
    /// What found it, of which the headline says as much as a person needs.
    source: Source,
}

/// What led to a refusal. Two that say the same are the same, whatever that was.
#[derive(Clone, Debug, Default)]
struct Source(Option<Arc<dyn Error + Send + Sync>>);

impl PartialEq for Source {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Source {}

impl Refusal {
    /// Collects the three parts.
    pub fn new(
        problem: impl Into<String>,
        rule: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Refused::labelled(problem, (), rule, fix)
    }
}

impl<L> Refused<L> {
    /// Collects the four parts.
    pub(crate) fn labelled(
        problem: impl Into<String>,
        label: L,
        rule: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Refused {
            problem: problem.into(),
            label,
            rule: rule.into(),
            fix: fix.into(),
            source: Source::default(),
        }
    }

    /// Names the error that led to it.
    pub fn because(self, source: impl Error + Send + Sync + 'static) -> Self {
        Refused {
            source: Source(Some(Arc::new(source))),
            ..self
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal {
            problem, rule, fix, ..
        } = self;
        write!(f, "{problem}\nrule: {rule}\nhelp: {fix}")
    }
}

impl<L: fmt::Debug> Error for Refused<L>
where
    Refused<L>: fmt::Display,
{
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source = self.source.0.as_deref()?;
        Some(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_three_things_and_keeps_what_led_to_it() {
        let refusal = Refusal::new("the problem", "the rule", "the fix");
        assert_eq!(
            refusal.to_string(),
            "the problem\nrule: the rule\nhelp: the fix"
        );
        assert!(refusal.source().is_none());
        let error = "x".parse::<u32>().unwrap_err();
        let with = refusal.clone().because(error.clone());
        assert_eq!(with, refusal);
        assert_eq!(with.to_string(), refusal.to_string());
        assert_eq!(with.source().unwrap().to_string(), error.to_string());
    }
}

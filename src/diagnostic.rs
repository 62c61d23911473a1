// SPDX-License-Identifier: MIT OR Apache-2.0

//! What is wrong with the input, where, by which rule, and what to write instead.

use std::fmt::Write;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Element, Level, Renderer, Snippet, renderer::DecorStyle};

use crate::mask::{self, Secrets};
use crate::model::Invalid;

/// A text that a person wrote, as messages may show it: a configuration file, or the options on
/// the command line.
#[derive(Clone, Debug)]
pub struct Source {
    /// What to call it in a message: a file's path, or `<command line>`.
    pub name: String,
    /// The text, with stars in place of secrets.
    pub text: String,
    /// The secrets, which no message quotes.
    secrets: Vec<String>,
}

/// The texts of one run.
#[derive(Clone, Debug, Default)]
pub struct Sources(Vec<Source>);

impl Sources {
    /// Takes in a text.
    pub fn add(&mut self, name: impl Into<String>, text: &str) -> SourceId {
        let (text, secrets) = mask::hide(text);
        self.0.push(Source {
            name: name.into(),
            text,
            secrets,
        });
        SourceId(self.0.len() - 1)
    }

    /// The text of this id.
    pub fn get(&self, id: SourceId) -> &Source {
        &self.0[id.0]
    }
}

/// Which of the [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct SourceId(usize);

/// A place in a source, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// In which text.
    pub source: SourceId,
    /// From where to where.
    pub span: Range<usize>,
}

impl Place {
    fn order(&self) -> (SourceId, usize, usize) {
        (self.source, self.span.start, self.span.end)
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Nothing is generated.
    Error,
    /// Something is generated; the user should know.
    Warning,
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Where.
    pub place: Place,
    /// The headline, a few words under the text, the rule and the fix.
    pub what: Invalid,
    /// Other places that have to do with it.
    pub related: Vec<(Place, String)>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(place: Place, what: Invalid) -> Self {
        Diagnostic {
            severity: Severity::Error,
            place,
            what,
            related: Vec::new(),
        }
    }

    /// A warning at a place.
    pub fn warning(place: Place, what: Invalid) -> Self {
        Diagnostic {
            severity: Severity::Warning,
            ..Diagnostic::error(place, what)
        }
    }

    /// Names another place that has to do with it.
    pub fn related(mut self, place: Place, label: impl Into<String>) -> Self {
        self.related.push((place, label.into()));
        self
    }
}

/// The most findings that are shown: nobody reads more, and each is drawn from the whole text.
pub(crate) const MOST_SHOWN: usize = 100;

/// Renders findings for a person, in the order of their places.
pub fn render(sources: &Sources, diagnostics: &[Diagnostic], colour: bool) -> String {
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    }
    .decor_style(DecorStyle::Ascii)
    .term_width(100);

    let secrets: Vec<_> = sources.0.iter().flat_map(|it| it.secrets.clone()).collect();
    let secrets = Secrets::from(secrets);
    let mut sorted: Vec<_> = diagnostics.iter().collect();
    sorted.sort_by_key(|diagnostic| diagnostic.place.order());
    let mut out = String::new();
    for diagnostic in sorted.iter().take(MOST_SHOWN) {
        let diagnostic = discreet(&secrets, diagnostic);
        out.push_str(&renderer.render(&[group(sources, &diagnostic)]));
        out.push_str("\n\n");
    }
    if let Some(more) = sorted.len().checked_sub(MOST_SHOWN + 1) {
        let _ = writeln!(out, "and {} more like these", more + 1);
    }
    out
}

/// The same finding, which quotes no secret.
fn discreet(secrets: &Secrets, diagnostic: &Diagnostic) -> Diagnostic {
    let redact = |text: &String| mask::redact(text, secrets);
    let what = &diagnostic.what;
    Diagnostic {
        what: Invalid::new(
            redact(&what.problem),
            redact(&what.label),
            redact(&what.rule),
            redact(&what.fix),
        ),
        ..diagnostic.clone()
    }
}

fn group<'a>(sources: &'a Sources, diagnostic: &'a Diagnostic) -> annotate_snippets::Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut snippets = vec![(
        diagnostic.place.source,
        snippet(sources, diagnostic.place.source).annotation(
            AnnotationKind::Primary
                .span(visible(sources, &diagnostic.place))
                .label(diagnostic.what.label.as_str()),
        ),
    )];
    for (place, label) in &diagnostic.related {
        let annotation = AnnotationKind::Context
            .span(visible(sources, place))
            .label(label.as_str());
        match snippets
            .iter_mut()
            .position(|(source, _)| *source == place.source)
        {
            Some(i) => {
                let (source, with) = snippets.remove(i);
                snippets.insert(i, (source, with.annotation(annotation)));
            }
            None => snippets.push((
                place.source,
                snippet(sources, place.source).annotation(annotation),
            )),
        }
    }
    level
        .primary_title(diagnostic.what.problem.as_str())
        .elements(snippets.into_iter().map(|(_, snippet)| snippet))
        .element(Element::from(
            Level::NOTE
                .with_name("rule")
                .message(diagnostic.what.rule.as_str()),
        ))
        .element(Level::HELP.message(diagnostic.what.fix.as_str()))
}

fn snippet(sources: &Sources, source: SourceId) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
    let source = sources.get(source);
    Snippet::source(source.text.as_str())
        .path(source.name.as_str())
        .fold(true)
}

/// The span within the text, on character boundaries.
fn visible(sources: &Sources, place: &Place) -> Range<usize> {
    let text = &sources.get(place.source).text;
    let start = text.floor_char_boundary(place.span.start.min(text.len()));
    let end = text.ceil_char_boundary(place.span.end.clamp(start, text.len()));
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_shown_than_is_read() {
        let mut sources = Sources::default();
        let source = sources.add("openclaw.toml", &"x\n".repeat(200));
        let findings = |count: usize| -> Vec<_> {
            (0..count)
                .map(|line| Place {
                    source,
                    span: 2 * line..2 * line + 1,
                })
                .map(|place| Diagnostic::error(place, Invalid::new("a", "b", "c", "d")))
                .collect()
        };
        let shown = |count| render(&sources, &findings(count), false);
        assert_eq!(shown(100).matches("error: a").count(), 100);
        assert!(!shown(100).contains("more like these"));
        assert_eq!(shown(150).matches("error: a").count(), 100);
        assert!(shown(150).ends_with("and 50 more like these\n"));
    }
}

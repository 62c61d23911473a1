// SPDX-License-Identifier: MIT OR Apache-2.0

//! The templates, embedded in the program, and how values get into them.
//!
//! Delimiters are `<{ value }>`, `<% statement %>` and `<# comment #>`, which none of the
//! generated languages uses, so that Salt's own `{{ }}` needs no escaping. An undefined name is
//! an error. A value is written only if it is an *atom*, text that means itself in YAML, shell,
//! policy, unit and JSON files alike; anything else goes through a filter that writes it for the
//! language of its place.

use include_dir::{Dir, include_dir};
use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, syntax::SyntaxConfig};

/// Everything in `templates/`, by where it lands.
static TEMPLATES: Dir = include_dir!("$CARGO_MANIFEST_DIR/templates");
/// Everything in `salt/`, the formula.
static SALT: Dir = include_dir!("$CARGO_MANIFEST_DIR/salt");
/// Everything in `rpmspec/`, what the packages say of themselves.
static RPMSPEC: Dir = include_dir!("$CARGO_MANIFEST_DIR/rpmspec");

/// The text of an embedded file, by its path in the repository.
///
/// # Panics
/// If there is none: the paths are written in this program.
pub(crate) fn embedded(path: &str) -> &'static str {
    find(path).unwrap_or_else(|| panic!("there is no template {path}"))
}

fn find(path: &str) -> Option<&'static str> {
    let file = match path.split_once('/')? {
        ("templates", rest) => TEMPLATES.get_file(rest),
        ("salt", rest) => SALT.get_file(rest),
        ("rpmspec", rest) => RPMSPEC.get_file(rest),
        _ => None,
    };
    file?.contents_utf8()
}

/// Renders templates.
pub(crate) struct Renderer(Environment<'static>);

impl Renderer {
    pub(crate) fn new() -> Self {
        let syntax = SyntaxConfig::builder()
            .block_delimiters("<%", "%>")
            .variable_delimiters("<{", "}>")
            .comment_delimiters("<#", "#>")
            .trim_blocks(true)
            .lstrip_blocks(true)
            .keep_trailing_newline(true)
            .build()
            .expect("the delimiters differ");
        let mut env = Environment::new();
        env.set_syntax(syntax);
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_loader(|path| Ok(find(path).map(str::to_owned)));
        env.set_formatter(write_atom);
        env.add_filter("block_yaml", block_yaml);
        env.add_filter("rpm_text", rpm_text);
        env.add_filter("js_text", js_text);
        Renderer(env)
    }

    /// Renders the template at this path of the repository.
    ///
    /// # Panics
    /// If the template is at fault: it is part of this program, and every one is rendered by the
    /// tests for every kind of deployment.
    pub(crate) fn render(&self, path: &str, context: Value) -> String {
        self.0
            .get_template(path)
            .and_then(|template| template.render(context))
            .unwrap_or_else(|error| panic!("template {path}: {error:#}"))
    }
}

/// Writes a value that needs no quoting anywhere: words of letters, digits and `._/@:+-`,
/// separated by single spaces and commas. Text from a filter is marked safe, and passes.
fn write_atom(out: &mut minijinja::Output, state: &mut State, value: &Value) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._/@:+-, ".contains(c);
    match value.as_str() {
        Some(text) if !value.is_safe() && !text.chars().all(plain) => Err(Error::new(
            ErrorKind::BadEscape,
            format!("{text:?} is not plain, and has no filter"),
        )),
        Some(text) => out.write_str(text).map_err(Error::from),
        None => minijinja::escape_formatter(out, state, value),
    }
}

/// A value as a YAML block, each line indented. Every string is quoted.
fn block_yaml(value: &Value, indent: usize) -> Result<Value, Error> {
    let json = serde_json::to_value(value).map_err(|error| {
        Error::new(ErrorKind::BadSerialization, "not representable").with_source(error)
    })?;
    let mut text = String::new();
    write_yaml(&mut text, &json, indent);
    text.truncate(text.trim_end().len());
    Ok(Value::from_safe_string(text))
}

/// Text that means itself in a spec file: rpm expands what follows a percent sign.
fn rpm_text(text: &str) -> Value {
    Value::from_safe_string(text.trim().replace('%', "%%"))
}

/// Text between the single quotes of a string in JavaScript.
fn js_text(text: &str) -> Value {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '\'' | '\\' => escaped.extend(['\\', c]),
            c if c.is_control() => escaped += &format!("\\u{{{:x}}}", u32::from(c)),
            c => escaped.push(c),
        }
    }
    Value::from_safe_string(escaped)
}

fn write_yaml(out: &mut String, value: &serde_json::Value, indent: usize) {
    use serde_json::Value as Json;
    let pad = " ".repeat(indent);
    match value {
        Json::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                out.push_str(&pad);
                out.push_str(&key_text(key));
                out.push(':');
                write_nested(out, value, indent);
            }
        }
        Json::Array(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&pad);
                out.push('-');
                write_nested(out, item, indent);
            }
        }
        scalar => {
            out.push_str(&pad);
            out.push_str(&scalar_text(scalar));
            out.push('\n');
        }
    }
}

fn write_nested(out: &mut String, value: &serde_json::Value, indent: usize) {
    let nested = match value {
        serde_json::Value::Object(map) => !map.is_empty(),
        serde_json::Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if nested {
        out.push('\n');
        write_yaml(out, value, indent + 2);
    } else {
        out.push(' ');
        out.push_str(&scalar_text(value));
        out.push('\n');
    }
}

/// A value that is on one line: no table and no list, unless it is empty.
fn scalar_text(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => quoted(text),
        serde_json::Value::Number(number) => {
            let text = number.to_string();
            // Without a point and a sign, YAML 1.1 takes it for text.
            match text.split_once('e') {
                Some((digits, exponent)) => {
                    let point = if digits.contains('.') { "" } else { ".0" };
                    let sign = if exponent.starts_with('-') { "" } else { "+" };
                    format!("{digits}{point}e{sign}{}", exponent.trim_start_matches('+'))
                }
                None => text,
            }
        }
        other => other.to_string(),
    }
}

/// Text in double quotes, for YAML 1.1 that Jinja has rendered before: of what Jinja would take for
/// its own, the first brace is escaped.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let code = u32::from(c);
        match c {
            '{' if matches!(rest.peek(), Some('{' | '%' | '#')) => out.push_str("\\x7b"),
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(c),
            _ if code <= 0xff => out.push_str(&format!("\\x{code:02x}")),
            _ if code <= 0xffff => out.push_str(&format!("\\u{code:04x}")),
            _ => out.push_str(&format!("\\U{code:08x}")),
        }
    }
    out.push('"');
    out
}

/// A key of plain camel-case letters stands as it is; any other is quoted.
fn key_text(key: &str) -> String {
    let word = key.chars().all(|c| c.is_ascii_alphabetic()) && !is_yaml_word(key);
    if word { key.to_owned() } else { quoted(key) }
}

/// Words that YAML 1.1, which Salt reads, takes for something else than text.
fn is_yaml_word(word: &str) -> bool {
    matches!(
        word.to_ascii_lowercase().as_str(),
        "" | "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str, value: &str) -> Result<String, Error> {
        let mut env = Renderer::new().0;
        env.add_template_owned("t", template.to_owned())?;
        env.get_template("t")?
            .render(minijinja::context! { value => value })
    }

    #[test]
    fn only_atoms_are_written_as_they_are() {
        assert_eq!(
            render("<{ value }>", "a-B_1.c/d:e@f").unwrap(),
            "a-B_1.c/d:e@f"
        );
        for text in [
            "a\nb", "a'b", "a\"b", "$a", "`a`", "a;b", "a#b", "{{ a }}", "a\\b", "é",
        ] {
            assert!(render("<{ value }>", text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn text_of_javascript_ends_with_its_quote() {
        let written = render("'<{ value | js_text }>'", "A=1 it's \\ a\nb").unwrap();
        assert_eq!(written, r"'A=1 it\'s \\ a\u{a}b'");
    }

    #[test]
    fn a_block_of_yaml_quotes_what_is_not_a_plain_key() {
        let yaml = render(
            "<{ {'on': [value], 'plain': {}, 'a b': 1} | block_yaml(2) }>",
            "x: #y",
        );
        assert_eq!(
            yaml.unwrap(),
            "  \"on\":\n    - \"x: #y\"\n  plain: {}\n  \"a b\": 1"
        );
    }

    #[test]
    fn a_block_of_yaml_means_the_same_after_jinja() {
        let yaml = render(
            "<{ [value, 1e300, 1e-7, 1.5, 2.0, -3] | block_yaml(0) }>",
            "{{ a }}{%\u{7f}é\u{1f600}\n\\\"",
        );
        assert_eq!(
            yaml.unwrap(),
            "- \"\\x7b{ a }}\\x7b%\\x7f\\xe9\\U0001f600\\n\\\\\\\"\"\n- 1.0e+300\n- 1.0e-7\n- 1.5\n- 2.0\n- -3"
        );
    }

    #[test]
    fn an_undefined_name_is_an_error() {
        assert!(render("<{ nothing }>", "").is_err());
    }
}

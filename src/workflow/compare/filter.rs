//! Which objects count: patterns over kind and name.

use crate::schema::{Id, Schema};

/// Patterns such as `public.*`, `index`, `function public.audit_*`; `!` in front leaves out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    patterns: Vec<String>,
}

impl Filter {
    pub fn new(patterns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Filter {
            patterns: patterns.into_iter().map(Into::into).collect(),
        }
    }

    /// The same, and what fits one of `patterns` does not count.
    pub fn without(&self, patterns: &[String]) -> Self {
        let mut all = self.patterns.clone();
        all.extend(patterns.iter().map(|pattern| format!("!{pattern}")));
        Filter { patterns: all }
    }

    /// The objects that count. What needs something that does not count goes too.
    pub fn apply(&self, schema: Schema) -> Schema {
        match self.patterns.is_empty() {
            true => schema,
            false => schema.without(|id| !self.counts(id)),
        }
    }

    /// Without a pattern everything counts; with only `!` patterns, everything else.
    pub fn counts(&self, id: &Id) -> bool {
        let (out, wanted): (Vec<&String>, Vec<&String>) =
            self.patterns.iter().partition(|p| p.starts_with('!'));
        let fits = |pattern: &str| fits(pattern, id);
        !out.iter().any(|p| fits(&p[1..])) && (wanted.is_empty() || wanted.iter().any(|p| fits(p)))
    }
}

fn fits(pattern: &str, id: &Id) -> bool {
    let kind = id.kind().name();
    let path = id.path();
    let whole = format!("{}.{}", id.schema(), id.name());
    glob(pattern, kind)
        || glob(pattern, &path)
        || glob(pattern, &whole)
        || glob(pattern, id.name())
        || pattern
            .strip_prefix(kind)
            .and_then(|rest| rest.strip_prefix(' '))
            .is_some_and(|name| glob(name, &path) || glob(name, &whole))
        // A schema that holds what is wanted has to be there too.
        || (kind == "schema" && pattern.strip_suffix(".*") == Some(id.name()))
}

/// `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => text.strip_prefix(head).is_some_and(|text| {
            text.char_indices()
                .map(|(at, _)| at)
                .chain([text.len()])
                .any(|at| glob(rest, &text[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Kind;

    #[test]
    fn patterns_choose_by_kind_schema_and_name() {
        let table = Id::new(Kind::Table, "public", "events_2024", "");
        let column = Id::new(Kind::Column, "public", "events_2024", "at");
        for (patterns, table_counts, column_counts) in [
            (&[][..], true, true),
            (&["public.*"], true, true),
            (&["table"], true, false),
            (&["table public.events_*"], true, false),
            (&["!public.events_*"], false, false),
            (&["public.*", "!events_*"], false, false),
            (&["other.*"], false, false),
        ] {
            let filter = Filter::new(patterns.iter().copied());
            assert_eq!(filter.counts(&table), table_counts, "{patterns:?}");
            assert_eq!(filter.counts(&column), column_counts, "{patterns:?}");
        }
    }

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(glob("a*c*", "abcd") && glob("*", "") && !glob("a*d", "abc"));
    }
}

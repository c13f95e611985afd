//! SQL with tags for highlighting. It need not be understood for that: a word, a string or a
//! comment is enough, and what is not known stays as it is.

/// Words that are shown as key words. A word too many or too few does no harm.
const WORDS: &str = " add after all alter always and any as asc attach authorization before begin between by cascade case cast \
check collate column comment commit concurrently constraint create cross current_role current_user cycle database deferrable \
deferred default definer delete desc detach distinct do drop each else end enforced enum exclude execute exists expression \
extension false for force foreign from function generated grant group having identity if immutable in include increment index \
inherit inherits initially inner insert instead into invoker is join key language left level like limit local logged \
materialized maxvalue minvalue no not nothing null nulls of off on only operator option or order outer over owned owner \
parallel partition policy primary privileges procedure public publication raise range recursive references refresh rename replace \
replica reset restart restrict return returning returns revoke right role row rows rule schema security select sequence server \
session set setof sql stable start statistics stored strict table tablespace temporary then to trigger true type union unique \
unlogged update usage using valid validate values variadic version view virtual volatile when where window with without ";

/// As HTML: text escaped, `<b>` around key words, `<i class="s">` around strings, `<i class="n">`
/// around quoted names, `<i class="c">` around comments.
pub fn highlighted(sql: &str) -> String {
    let mut html = String::with_capacity(sql.len() * 2);
    let mut rest = sql;
    while let Some(c) = rest.chars().next() {
        let (length, class) = token(rest, c);
        let (text, after) = rest.split_at(length);
        match class {
            Token::Text => escape(text, &mut html),
            Token::Word => match WORDS.contains(&format!(" {} ", text.to_ascii_lowercase())) {
                true => tagged(("<b>", "</b>"), text, &mut html),
                false => escape(text, &mut html),
            },
            Token::String => tagged(("<i class=\"s\">", "</i>"), text, &mut html),
            Token::Name => tagged(("<i class=\"n\">", "</i>"), text, &mut html),
            Token::Comment => tagged(("<i class=\"c\">", "</i>"), text, &mut html),
            Token::Body(quote) => {
                let (open, body) = text.split_at(quote);
                let (body, close) = body.split_at(body.len() - quote);
                tagged(("<i class=\"s\">", "</i>"), open, &mut html);
                html.push_str(&highlighted(body));
                tagged(("<i class=\"s\">", "</i>"), close, &mut html);
            }
        }
        rest = after;
    }
    html
}

enum Token {
    Text,
    Word,
    String,
    Name,
    Comment,
    /// A body between dollar quotes, each so many bytes long.
    Body(usize),
}

/// How many bytes the first token takes, and what it is.
fn token(text: &str, first: char) -> (usize, Token) {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    match first {
        '-' if text.starts_with("--") => (text.find('\n').unwrap_or(text.len()), Token::Comment),
        '/' if text.starts_with("/*") => {
            let end = text.find("*/").map_or(text.len(), |at| at + 2);
            (end, Token::Comment)
        }
        '\'' => (quoted(text, '\''), Token::String),
        '"' => (quoted(text, '"'), Token::Name),
        '$' => {
            let tag = text[1..].find(|c: char| !is_word(c)).map(|at| at + 1);
            match tag {
                Some(at)
                    if text[at..].starts_with('$')
                        && !text[1..].starts_with(|c: char| c.is_ascii_digit()) =>
                {
                    let quote = &text[..=at];
                    match text[quote.len()..].find(quote) {
                        Some(body) => (2 * quote.len() + body, Token::Body(quote.len())),
                        None => (text.len(), Token::String),
                    }
                }
                _ => (1, Token::Text),
            }
        }
        c if is_word(c) => {
            let end = text
                .find(|c: char| !is_word(c) && c != '$')
                .unwrap_or(text.len());
            (end, Token::Word)
        }
        c => (c.len_utf8(), Token::Text),
    }
}

/// Up to and with the closing quote; a doubled one closes nothing.
fn quoted(text: &str, quote: char) -> usize {
    let mut at = 1;
    while let Some(next) = text[at..].find(quote) {
        at += next + 1;
        if !text[at..].starts_with(quote) {
            return at;
        }
        at += 1;
    }
    text.len()
}

fn tagged(tags: (&str, &str), text: &str, html: &mut String) {
    html.push_str(tags.0);
    escape(text, html);
    html.push_str(tags.1);
}

fn escape(text: &str, html: &mut String) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            c => html.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::highlighted;

    /// What a browser shows.
    fn shown(html: &str) -> String {
        let mut text = String::new();
        let mut inside = false;
        for c in html.chars() {
            match c {
                '<' => inside = true,
                '>' => inside = false,
                c if !inside => text.push(c),
                _ => {}
            }
        }
        let text = text
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"");
        text.replace("&amp;", "&")
    }

    #[test]
    fn nothing_is_lost() {
        for sql in [
            "CREATE TABLE public.\"a \"\"b\" (id int DEFAULT 'it''s <b>' -- why?\n);",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $body$ select '$1' where 1 < 2 $body$",
            "select $1, 'open",
            "/* open",
            "$a",
            "$",
            "$$ x",
            "\"",
            "ä'ö'",
            "a$b$c",
            "x /* y */ z",
        ] {
            assert_eq!(shown(&highlighted(sql)), sql);
        }
    }

    #[test]
    fn words_strings_and_bodies_are_told_apart() {
        assert_eq!(
            highlighted("DROP TABLE \"t\"; select 'drop' $$ drop $$"),
            "<b>DROP</b> <b>TABLE</b> <i class=\"n\">&quot;t&quot;</i>; <b>select</b> <i class=\"s\">'drop'</i> \
             <i class=\"s\">$$</i> <b>drop</b> <i class=\"s\">$$</i>"
        );
    }
}

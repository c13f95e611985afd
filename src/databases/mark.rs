//! What devdb notes on a database: the first line of its comment. What the project itself says of
//! the database (`COMMENT ON DATABASE`) stays behind that line.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::postgres::{Connection, quote_literal};

/// A mark as it is written, which is one line. `what` says whose it is.
pub(super) fn line(what: &str, mark: &impl Serialize) -> String {
    let json = serde_json::to_string(mark).expect("plain data");
    format!("devdb {what} {json}")
}

/// The mark in a comment; `None` for what no devdb wrote, or another version of it.
pub(super) fn parse<T: DeserializeOwned>(what: &str, comment: &str) -> Option<T> {
    let mark = first_line(comment).strip_prefix("devdb ")?;
    serde_json::from_str(mark.strip_prefix(what)?).ok()
}

pub(super) fn first_line(comment: &str) -> &str {
    comment.lines().next().unwrap_or_default()
}

/// SQL that writes a mark on `database` (`None`: takes it away). It may stand in a transaction.
pub(super) fn sql(database: &str, mark: Option<&str>) -> String {
    let comment = "pg_catalog.shobj_description(oid, 'pg_database')";
    let own = own(comment);
    let text = match mark.map(quote_literal) {
        Some(mark) => format!("pg_catalog.concat_ws(E'\\n', {mark}, {own})"),
        None => own,
    };
    let block = format!(
        "begin execute (select pg_catalog.format('comment on database %I is %L', datname, {text}) \
         from pg_catalog.pg_database where datname = {}); end",
        quote_literal(database)
    );
    format!("do {}", quote_literal(&block))
}

pub(super) async fn write(on: &mut Connection, database: &str, mark: &str) -> Result<()> {
    on.execute(&sql(database, Some(mark))).await
}

/// An SQL expression: what the project says in `comment`, null for nothing.
pub(super) fn own(comment: &str) -> String {
    format!(
        "case when {comment} operator(pg_catalog.~) '^devdb (base|baseline|snapshot|clone) ' \
         then pg_catalog.substring({comment}, E'\\n(.*)$') else {comment} end"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_the_first_line() {
        let line = line("clone", &[1, 2]);
        assert_eq!(line, "devdb clone [1,2]");
        let comment = format!("{line}\nsaid by\nthe project");
        assert_eq!(parse::<Vec<u8>>("clone", &comment), Some(vec![1, 2]));
        assert_eq!(parse::<Vec<u8>>("snapshot", &comment), None);
        assert_eq!(parse::<Vec<u8>>("clone", "by the project"), None);
        assert_eq!(parse::<Vec<u8>>("clone", ""), None);
    }
}

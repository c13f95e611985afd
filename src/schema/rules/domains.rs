//! Domains and their constraints.

use super::super::expand::Context;
use super::super::model::{Id, Kind, Object};
use super::super::plan::{HazardKind, Step};
use super::super::text;
use super::{Alter, Changed, Loss, Rules, types};

pub(in super::super) struct Domains;
pub(in super::super) struct DomainConstraints;

/// Whether values of a type are kept somewhere.
fn is_kept(cx: &Context, id: &Id) -> bool {
    cx.dependents(id).any(|(o, _)| match o.id.kind() {
        Kind::Column => true,
        Kind::Attribute => {
            let whole = o.id.beside(Kind::Composite, "");
            whole != *id && is_kept(cx, &whole)
        }
        Kind::Range | Kind::Domain => is_kept(cx, &o.id),
        _ => holds_constant(o, &id.path()),
    })
}

/// Whether an expression holds a value of the type, or seems to: Postgres takes it for one that is
/// kept, and its catalog does not tell it from other uses.
fn holds_constant(object: &Object, type_path: &str) -> bool {
    let cast = format!("::{type_path}");
    let texts = [
        "definition",
        "expression",
        "using_expression",
        "check_expression",
    ];
    texts.iter().any(|name| object.get(name).contains(&cast))
}

/// Whether values of a domain are kept inside of others: Postgres cannot look for those that break
/// a new rule.
fn is_kept_inside(cx: &Context, domain: &Id) -> bool {
    cx.dependents(domain).any(|(o, _)| match o.id.kind() {
        Kind::Column => o.get("type").ends_with("[]"),
        Kind::Attribute => is_kept(cx, &o.id.beside(Kind::Composite, "")),
        Kind::Range => is_kept(cx, &o.id),
        Kind::Domain if o.get("type").ends_with("[]") => is_kept(cx, &o.id),
        Kind::Domain => is_kept_inside(cx, &o.id),
        _ => holds_constant(o, &format!("{}[]", domain.path())),
    })
}

impl Rules for Domains {
    fn grant_target(&self, object: &Object) -> String {
        types::type_target(object)
    }

    fn create(&self, cx: &Context, object: &Object) -> Vec<Step> {
        let mut sql = format!(
            "CREATE DOMAIN {} AS {}",
            object.id.path(),
            object.get("type")
        );
        if let Some(collation) = object.text("collation") {
            sql.push_str(&format!(" COLLATE {collation}"));
        }
        if let Some(default) = object.text("default_expression") {
            sql.push_str(&format!(" DEFAULT {default}"));
        }
        if object.flag("not_null") {
            if let Some(name) = not_null_name(cx, object) {
                sql.push_str(&format!(" CONSTRAINT {}", text::ident(name)));
            }
            sql.push_str(" NOT NULL");
        }
        for constraint in cx.to.parts(&object.id, Kind::DomainConstraint) {
            if !constraint.flag("not_valid") {
                sql.push(' ');
                sql.push_str(&domain_constraint(constraint));
            }
        }
        vec![Step::create(&object.id, sql)]
    }

    fn finish(&self, _: &Context, object: &Object) -> Vec<Step> {
        not_null_comment(None, object).into_iter().collect()
    }

    /// Without its type it is another domain; for anything else only the default lets go.
    fn loss(&self, _: &Context, _: &Object, lost: &Id) -> Loss {
        match lost.kind() {
            Kind::Function | Kind::Operator | Kind::Aggregate | Kind::Sequence | Kind::Cast => {
                Loss::Alter
            }
            _ => Loss::Rebuild,
        }
    }

    fn alter(&self, cx: &Context, from: &Object, to: &Object, changed: &Changed) -> Alter {
        let checks = to.flag("not_null") && !from.flag("not_null");
        if changed.any(&["type", "collation"]) || (checks && is_kept_inside(cx, &to.id)) {
            return Alter::Rebuild;
        }
        let domain = format!("ALTER DOMAIN {}", to.id.path());
        let mut steps = Vec::new();
        let lost: Vec<Id> = cx.lost(&to.id).cloned().collect();
        if !lost.is_empty() && from.text("default_expression").is_some() {
            let sql = format!("{domain} DROP DEFAULT");
            steps.push(Step::detail(&to.id, sql).releasing(lost));
            if let Some(default) = to.text("default_expression") {
                let needs = to.needs.iter().map(|need| need.id.clone());
                let sql = format!("{domain} SET DEFAULT {default}");
                steps.push(Step::detail(&to.id, sql).needing(needs));
            }
        } else if changed.has("default_expression") {
            let sql = match to.text("default_expression") {
                Some(default) => format!("{domain} SET DEFAULT {default}"),
                None => format!("{domain} DROP DEFAULT"),
            };
            steps.push(Step::alter(&to.id, sql));
        }
        if from.flag("not_null") != to.flag("not_null") {
            let how = match (to.flag("not_null"), not_null_name(cx, to)) {
                (true, Some(name)) => format!("ADD CONSTRAINT {} NOT NULL", text::ident(name)),
                (true, None) => "SET NOT NULL".to_owned(),
                (false, _) => "DROP NOT NULL".to_owned(),
            };
            let mut step = Step::alter(&to.id, format!("{domain} {how}"));
            if to.flag("not_null") {
                let message = format!("fails where a value of {} is null", to.id);
                step = step.hazard(HazardKind::DependsOnRows, message);
            }
            steps.push(step);
        } else if let (true, Some(old), Some(new)) = (
            changed.has("not_null_name"),
            from.text("_not_null_name"),
            to.text("_not_null_name"),
        ) {
            let (old, new) = (text::ident(old), text::ident(new));
            let sql = format!("{domain} RENAME CONSTRAINT {old} TO {new}");
            steps.push(Step::alter(&to.id, sql));
        }
        steps.extend(not_null_comment(Some(from), to));
        Alter::Steps(steps)
    }

    fn rename(&self, object: &Object, name: &str) -> Vec<String> {
        let domain = format!("ALTER DOMAIN {}", object.id.path());
        let mut statements = Vec::new();
        // The new one's NOT NULL would get another name, because this one has it.
        if let Some(not_null) = object.text("_not_null_name") {
            let free = format!("{not_null}__old");
            statements.push(format!(
                "{domain} RENAME CONSTRAINT {} TO {}",
                text::ident(not_null),
                text::ident(&free)
            ));
        }
        statements.push(format!("{domain} RENAME TO {}", text::ident(name)));
        statements
    }
}

/// The domain that the values of a new column are checked against: what stands in its rows at first,
/// the domain's default or null, may be none of them. Postgres never compares the two by itself.
pub(super) fn own_default_may_fail<'a>(cx: &'a Context, column: &Object) -> Option<&'a Id> {
    let domain_of = |object: &Object| {
        let mut needs = object.needs.iter().map(|need| &need.id);
        let id = needs.find(|id| id.kind() == Kind::Domain)?;
        cx.to.get(id)
    };
    // A column of an array holds no value of the domain at first.
    let own = domain_of(column).filter(|domain| column.get("type") == domain.id.path())?;
    let has_default = own.text("default_expression").is_some();
    let mut next = Some(own);
    while let Some(domain) = next {
        let has_checks = cx
            .to
            .parts(&domain.id, Kind::DomainConstraint)
            .next()
            .is_some();
        if has_default && has_checks || !has_default && domain.flag("not_null") {
            return Some(&own.id);
        }
        next = domain_of(domain);
    }
    None
}

/// The name of a domain's NOT NULL, where it is not the usual one and the server keeps it.
fn not_null_name<'a>(cx: &Context, domain: &'a Object) -> Option<&'a str> {
    let known = cx.from.version >= 170_000;
    domain.text("not_null_name").filter(|_| known)
}

fn not_null_comment(from: Option<&Object>, to: &Object) -> Option<Step> {
    let wanted = to.text("not_null_comment");
    let name = text::ident(to.text("_not_null_name")?);
    // One that was not there before has none.
    let from = from.filter(|f| f.flag("not_null"));
    if from.and_then(|f| f.text("not_null_comment")) == wanted {
        return None;
    }
    let text = wanted.map_or_else(|| "NULL".to_owned(), text::literal);
    let path = to.id.path();
    let sql = format!("COMMENT ON CONSTRAINT {name} ON DOMAIN {path} IS {text}");
    Some(Step::detail(&to.id, sql))
}

fn domain_constraint(constraint: &Object) -> String {
    let valid = if constraint.flag("not_valid") {
        " NOT VALID"
    } else {
        ""
    };
    format!(
        "CONSTRAINT {} {}{valid}",
        text::ident(constraint.id.part()),
        constraint.get("definition")
    )
}

impl Rules for DomainConstraints {
    fn target(&self, constraint: &Object) -> String {
        format!(
            "CONSTRAINT {} ON DOMAIN {}",
            text::ident(constraint.id.part()),
            super::relation_path(&constraint.id)
        )
    }

    fn maker(&self, cx: &Context, constraint: &Object) -> Option<Id> {
        let domain = constraint.id.beside(Kind::Domain, "");
        (cx.created(&domain) && !constraint.flag("not_valid")).then_some(domain)
    }

    fn create(&self, _: &Context, constraint: &Object) -> Vec<Step> {
        let domain = super::relation_path(&constraint.id);
        let sql = format!(
            "ALTER DOMAIN {domain} ADD {}",
            domain_constraint(constraint)
        );
        let mut step = Step::create(&constraint.id, sql);
        if !constraint.flag("not_valid") {
            step = step.hazard(HazardKind::DependsOnRows, "fails where a value breaks it");
        }
        vec![step]
    }

    fn drop(&self, _: &Context, constraint: &Object) -> Vec<Step> {
        let domain = super::relation_path(&constraint.id);
        let name = text::ident(constraint.id.part());
        vec![Step::drop(
            &constraint.id,
            format!("ALTER DOMAIN {domain} DROP CONSTRAINT {name}"),
        )]
    }

    fn remakes(&self, cx: &Context, constraint: &Object) -> Option<Id> {
        let domain = constraint.id.beside(Kind::Domain, "");
        (!constraint.flag("not_valid") && is_kept_inside(cx, &domain)).then_some(domain)
    }

    fn alter(&self, cx: &Context, from: &Object, to: &Object, changed: &Changed) -> Alter {
        if let Some(domain) = self.remakes(cx, to) {
            return Alter::RebuildWhole(domain);
        }
        if !changed.only(&["not_valid"]) || !from.flag("not_valid") {
            return Alter::Rebuild;
        }
        let domain = super::relation_path(&to.id);
        let name = text::ident(to.id.part());
        let step = Step::alter(
            &to.id,
            format!("ALTER DOMAIN {domain} VALIDATE CONSTRAINT {name}"),
        );
        Alter::Steps(vec![
            step.hazard(HazardKind::DependsOnRows, "fails where a value breaks it"),
        ])
    }
}

//! devdb's own interface: lend a database at head, give it back.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::Refused;
use crate::databases::pool::Terms;
use crate::workflow::{Lender, Listed};

/// `{"id", "url", "env"}`
pub async fn lend(State(lender): State<Lender>) -> Result<(StatusCode, Json<Value>), Refused> {
    let lent = lender.lend(lender.head(), Terms::UntilReturned).await?;
    let variables = lent.variables.into_iter();
    let env: Map<String, Value> = variables.map(|(name, text)| (name, text.into())).collect();
    let body = json!({ "id": lent.id, "url": lent.target.url("postgresql"), "env": env });
    Ok((StatusCode::CREATED, Json(body)))
}

#[derive(Deserialize)]
pub struct Return {
    /// It was not written to, and nobody is connected to it.
    #[serde(default)]
    clean: bool,
}

pub async fn give_back(
    State(lender): State<Lender>,
    Path(id): Path<String>,
    Query(how): Query<Return>,
) -> Result<StatusCode, Refused> {
    let number = id.parse().ok();
    match number.is_some_and(|number| lender.give_back(number, None, how.clean)) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(
            Refused::new(StatusCode::NOT_FOUND, format!("no database {id} is lent")).hint(
                "it was returned already, or its lease has ended; `GET /databases` lists all",
            ),
        ),
    }
}

/// `[{"id", "database", "template", "state", "lent_for"}]`
pub async fn list(State(lender): State<Lender>) -> Json<Vec<Listed>> {
    Json(lender.list())
}

/// `{"status", "ready", "lent", "waiting", "message"}`; 503 while the server cannot be used.
pub async fn health(State(lender): State<Lender>) -> (StatusCode, Json<Value>) {
    let list = lender.list();
    let count = |state| list.iter().filter(|listed| listed.state == state).count();
    let (waiting, failure) = lender.health();
    let (status, word) = match failure {
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, "failing"),
        None => (StatusCode::OK, "ok"),
    };
    let body = json!({
        "status": word,
        "ready": count("ready"),
        "lent": count("lent"),
        "waiting": waiting,
        "message": failure.map(|error| error.message().to_owned()),
    });
    (status, Json(body))
}

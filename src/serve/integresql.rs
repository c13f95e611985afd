//! The interface of IntegreSQL 1.1, so that its clients work as they are.
//! <https://github.com/allaboutapps/integresql>

use axum::body::Bytes;
use axum::extract::{FromRequest as _, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::{Form, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Refused;
use crate::databases::pool::{TemplateId, Terms};
use crate::postgres::Target;
use crate::workflow::{Lender, Refusal};

#[derive(Deserialize)]
struct Initialize {
    #[serde(default)]
    hash: String,
}

/// The body is JSON; integresql-client-python sends a form, which IntegreSQL reads as well.
async fn read(request: Request) -> Result<Initialize, Refused> {
    let bad = |why: String| Refused::new(StatusCode::BAD_REQUEST, why);
    let kind = request.headers().get(header::CONTENT_TYPE);
    let form = "application/x-www-form-urlencoded";
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(form.as_bytes())) {
        let form = Form::from_request(request, &()).await;
        return form
            .map(|Form(payload)| payload)
            .map_err(|e| bad(e.to_string()));
    }
    let body = Bytes::from_request(request, &()).await;
    let body = body.map_err(|e| bad(e.to_string()))?;
    serde_json::from_slice(&body).map_err(|e| bad(e.to_string()))
}

/// Makes an empty database for the client to fill.
pub async fn initialize(
    State(lender): State<Lender>,
    request: Request,
) -> Result<Json<Value>, Refused> {
    let payload = read(request).await?;
    if payload.hash.is_empty() {
        return Err(Refused::new(StatusCode::BAD_REQUEST, "hash is required"));
    }
    let target = lender.begin_template(payload.hash.clone()).await?;
    Ok(Json(
        json!({ "database": database(&payload.hash, &target) }),
    ))
}

/// What `database` is in IntegreSQL's answers.
fn database(hash: &str, target: &Target) -> Value {
    let mut config = json!({
        "host": target.host,
        "port": target.port,
        "username": target.user,
        "password": target.password.as_deref().unwrap_or_default(),
        "database": target.database,
    });
    if !target.options.is_empty() {
        config["additionalParams"] = json!(target.options);
    }
    json!({ "templateHash": hash, "config": config })
}

pub async fn finalize(
    State(lender): State<Lender>,
    Path(hash): Path<String>,
) -> Result<StatusCode, Refused> {
    lender.finish_template(&hash).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn discard(
    State(lender): State<Lender>,
    Path(hash): Path<String>,
) -> Result<StatusCode, Refused> {
    lender.discard_template(&hash).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn discard_all(State(lender): State<Lender>) -> Result<StatusCode, Refused> {
    lender.discard_templates().await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn get_test_database(
    State(lender): State<Lender>,
    Path(hash): Path<String>,
) -> Result<Json<Value>, Refused> {
    let template = known(&lender, &hash)?;
    let lent = lender.lend(template, Terms::WhileUsed).await?;
    Ok(Json(
        json!({ "database": database(&hash, &lent.target), "id": lent.id }),
    ))
}

/// It was not written to.
pub async fn unlock(
    State(lender): State<Lender>,
    Path((hash, id)): Path<(String, String)>,
) -> Result<StatusCode, Refused> {
    give_back(&lender, &hash, &id, true)
}

pub async fn recreate(
    State(lender): State<Lender>,
    Path((hash, id)): Path<(String, String)>,
) -> Result<StatusCode, Refused> {
    give_back(&lender, &hash, &id, false)
}

/// As there, returning a database twice is no error.
fn give_back(lender: &Lender, hash: &str, id: &str, clean: bool) -> Result<StatusCode, Refused> {
    let wrong = || Refused::new(StatusCode::BAD_REQUEST, "invalid test database ID");
    let id: u64 = id.parse().map_err(|_| wrong())?;
    let template = known(lender, hash)?;
    if !lender.give_back(id, Some(template), clean) && !lender.was_used(id) {
        return Err(Refused::new(
            StatusCode::NOT_FOUND,
            "test database not found",
        ));
    }
    Ok(StatusCode::NO_CONTENT)
}

fn known(lender: &Lender, hash: &str) -> Result<TemplateId, Refused> {
    let found = lender.template(hash);
    Ok(found.ok_or(Refusal::NoTemplate)?.0)
}

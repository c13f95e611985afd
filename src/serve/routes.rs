//! Which request means what.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post, put};

use super::answer::Refused;
use super::door::{self, Door};
use super::{databases, integresql};
use crate::workflow::Lender;

/// Everything that is answered; `openapi.json` says the same for programs.
pub fn router(lender: Lender, token: Option<String>) -> Router {
    let templates = Router::new()
        .route("/", post(integresql::initialize))
        .route("/{hash}", put(integresql::finalize))
        .route("/{hash}", delete(integresql::discard))
        .route("/{hash}/tests", get(integresql::get_test_database))
        .route("/{hash}/tests/{id}", delete(integresql::unlock))
        .route("/{hash}/tests/{id}/unlock", post(integresql::unlock))
        .route("/{hash}/tests/{id}/recreate", post(integresql::recreate));
    Router::new()
        .route("/databases", get(databases::list).post(databases::lend))
        .route("/databases/{id}", delete(databases::give_back))
        .nest("/api/v1/templates", templates)
        .route("/api/v1/admin/templates", delete(integresql::discard_all))
        .route("/openapi.json", get(openapi))
        .layer(from_fn_with_state(Door::new(token), door::check))
        // Whoever asks whether it lives need not show anything.
        .route("/health", get(databases::health))
        .fallback(|| async { Refused::new(StatusCode::NOT_FOUND, "there is no such path") })
        .method_not_allowed_fallback(|| async {
            Refused::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path has other methods",
            )
        })
        .with_state(lender)
}

async fn openapi() -> impl axum::response::IntoResponse {
    let kind = (header::CONTENT_TYPE, "application/json");
    ([kind], include_str!("openapi.json"))
}

//! What did not work, as an answer.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::error::{Error, ErrorKind};
use crate::workflow::Refusal;

/// A status, and `{"message", "hint"}`. IntegreSQL's clients read the message.
#[derive(Debug)]
pub struct Refused {
    pub status: StatusCode,
    message: String,
    hint: Option<String>,
}

impl Refused {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Refused {
            status,
            message: message.into(),
            hint: None,
        }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = json!({ "message": self.message, "hint": self.hint });
        (self.status, Json(body)).into_response()
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::NoTemplate => StatusCode::NOT_FOUND,
            Refusal::TemplateExists => StatusCode::LOCKED,
            Refusal::Discarded => StatusCode::GONE,
            Refusal::NoneFree(_) | Refusal::Closing => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Failed(error) if is_away(error) => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let error = Error::from(refusal);
        Refused {
            status,
            message: error.message().to_owned(),
            hint: error.hint_text().map(str::to_owned),
        }
    }
}

/// Whether the server does not answer, or has no connection left (53300).
fn is_away(error: &Error) -> bool {
    error.kind() == ErrorKind::Server || error.sqlstate() == Some("53300")
}

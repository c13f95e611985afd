//! Who may come in.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest, Sha256};

use super::answer::Refused;

/// Lets in whoever shows the token; without one, programs on this machine, but no web page that
/// its user happens to look at.
#[derive(Clone)]
pub struct Door {
    /// The digest of the `Authorization` header: comparing it takes equally long for all that are
    /// not it.
    wanted: Option<[u8; 32]>,
}

impl Door {
    pub fn new(token: Option<String>) -> Self {
        let wanted = token.map(|token| Sha256::digest(format!("Bearer {token}")).into());
        Door { wanted }
    }

    fn refusal(&self, headers: &HeaderMap) -> Option<Refused> {
        let header = |name| headers.get(name).map_or(&b""[..], |value| value.as_bytes());
        if let Some(wanted) = self.wanted {
            let shown: [u8; 32] = Sha256::digest(header(header::AUTHORIZATION)).into();
            return (shown != wanted).then(|| {
                Refused::new(StatusCode::UNAUTHORIZED, "the token is missing or wrong")
                    .hint("send `Authorization: Bearer TOKEN` with what --token says")
            });
        }
        // A page's requests name where it is from; and a name that its owner has lead to
        // 127.0.0.1 is still not called localhost.
        let is_page = headers.contains_key(header::ORIGIN);
        (is_page || !is_local(header(header::HOST))).then(|| {
            Refused::new(
                StatusCode::FORBIDDEN,
                "only programs on this machine may use this",
            )
            .hint("connect to 127.0.0.1 or localhost, without an Origin header; or start `devdb serve --token SECRET`")
        })
    }
}

fn is_local(host: &[u8]) -> bool {
    let host = String::from_utf8_lossy(host);
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => host.split(':').next(),
    };
    matches!(
        name,
        Some("127.0.0.1" | "localhost" | "::1" | "0:0:0:0:0:0:0:1")
    )
}

pub async fn check(State(door): State<Door>, request: Request, next: Next) -> Response {
    match door.refusal(request.headers()) {
        Some(refused) => refused.into_response(),
        None => next.run(request).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(token: Option<&str>, headers: &[(&'static str, &str)]) -> Option<StatusCode> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let door = Door::new(token.map(str::to_owned));
        door.refusal(&map).map(|refused| refused.status)
    }

    #[test]
    fn programs_come_in_and_pages_do_not() {
        let refused = Some(StatusCode::FORBIDDEN);
        assert_eq!(status(None, &[("host", "127.0.0.1:5000")]), None);
        assert_eq!(status(None, &[("host", "[::1]:5000")]), None);
        assert_eq!(status(None, &[("host", "evil.example:5000")]), refused);
        assert_eq!(status(None, &[("host", "127.0.0.1.evil.example")]), refused);
        let page = [("host", "127.0.0.1"), ("origin", "https://evil.example")];
        assert_eq!(status(None, &page), refused);
    }

    #[test]
    fn a_token_is_wanted_where_there_is_one() {
        let refused = Some(StatusCode::UNAUTHORIZED);
        let token = Some("secret");
        assert_eq!(status(token, &[("host", "127.0.0.1")]), refused);
        assert_eq!(status(token, &[("authorization", "Bearer secre")]), refused);
        assert_eq!(status(token, &[("authorization", "Bearer secret")]), None);
    }
}

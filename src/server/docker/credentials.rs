//! What `docker login` left for a registry.

use bollard::auth::DockerCredentials;
use docker_credential::DockerCredential;

/// Where an image of this name lies: `ghcr.io`, `localhost:5000`; Docker Hub by the name that
/// `docker login` files it under.
pub(crate) fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => "https://index.docker.io/v1/",
    }
}

/// `None` where there is none: the registry may be open to everybody.
pub(crate) fn of(image: &str) -> Option<DockerCredentials> {
    let registry = registry(image);
    let mut credentials = DockerCredentials {
        serveraddress: Some(registry.to_owned()),
        ..DockerCredentials::default()
    };
    match docker_credential::get_credential(registry).ok()? {
        DockerCredential::IdentityToken(token) => credentials.identitytoken = Some(token),
        DockerCredential::UsernamePassword(user, password) => {
            credentials.username = Some(user);
            credentials.password = Some(password);
        }
    }
    Some(credentials)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_told_from_a_user() {
        for (image, wanted) in [
            ("pgvector/pgvector:pg17", "https://index.docker.io/v1/"),
            ("postgres", "https://index.docker.io/v1/"),
            ("localhost/shop:1", "localhost"),
            ("localhost:5000/shop:1", "localhost:5000"),
            ("ghcr.io/team/shop@sha256:0", "ghcr.io"),
        ] {
            assert_eq!(registry(image), wanted, "{image}");
        }
    }
}

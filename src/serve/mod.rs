//! `devdb serve`: a pool of databases over HTTP, for test runners in any language.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::serve::ListenerExt as _;
use serde::Serialize;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::{Error, ErrorKind, Named, Result};
use crate::workflow::{Context, OpenPool, PoolOptions};

mod answer;
mod databases;
mod door;
mod integresql;
mod routes;

/// How to serve.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    pub address: IpAddr,
    /// 0: one that is free.
    pub port: u16,
    /// What clients have to show; must be set where others than this machine can connect.
    pub token: Option<String>,
    pub pool: PoolOptions,
    /// Ends when stdin does, and so with whoever started it.
    pub while_stdin: bool,
}

impl ServeOptions {
    /// The address that only this machine can connect to.
    pub const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
}

/// What is known once clients can connect.
#[derive(Debug, Serialize)]
pub struct Listening {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    pub pid: u32,
}

/// How long clients may take to read their last answers.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Serves until SIGINT or SIGTERM, then drops all databases. `listening` is called once.
///
/// # Errors
/// `Usage` for an address of others without a token, and where the port is in use; `Server` where
/// no server can be had; `Migration` where the chain does not replay; `Interrupted` by a signal
/// before it listens, and by a second one while it drops databases.
pub async fn serve(
    context: &Context,
    options: ServeOptions,
    listening: impl FnOnce(&Listening),
) -> Result<()> {
    if !options.address.is_loopback() && options.token.is_none() {
        return Err(Error::usage(format!(
            "whoever can connect to {} could use the databases",
            options.address
        ))
        .hint("add --token SECRET, or leave out --address"));
    }
    let mut stop = Stop::new(options.while_stdin)?;
    let place = SocketAddr::new(options.address, options.port);
    // Before a server is started for nothing.
    let listener = TcpListener::bind(place).await.map_err(|e| {
        Error::usage(format!("cannot listen on {place}: {e}"))
            .hint("choose another --port; 0 takes one that is free")
    })?;
    let place = listener.local_addr().named("cannot listen")?;
    let pool = tokio::select! {
        pool = OpenPool::open(context, options.pool) => pool?,
        () = stop.wanted() => return Err(stopped("before it listened")),
    };
    let router = routes::router(pool.lender.clone(), options.token);
    // Answers are small, and somebody waits for each.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    listening(&Listening {
        url: format!("http://{place}"),
        pid: std::process::id(),
    });
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let server = axum::serve(listener, router).with_graceful_shutdown(async {
        let _ = ended.await;
    });
    let server = tokio::spawn(server.into_future());
    stop.wanted().await;
    let lender = pool.lender.clone();
    lender.refuse_all();
    let _ = end.send(());
    let closing = async {
        let _ = tokio::time::timeout(LAST_ANSWERS, server).await;
        pool.close().await
    };
    tokio::select! {
        closed = closing => {
            if let Err(error) = closed {
                context.events.warn(format!("{error}: the next devdb command drops what is left"));
            }
            Ok(())
        }
        () = stop.wanted() => Err(stopped("while it dropped databases")),
    }
}

fn stopped(when: &str) -> Error {
    Error::new(
        ErrorKind::Interrupted,
        format!("devdb serve was interrupted {when}"),
    )
    .hint("the next devdb command drops what is left")
}

/// What ends it.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
    stdin: bool,
}

impl Stop {
    fn new(stdin: bool) -> Result<Self> {
        let what = "cannot wait for signals";
        Ok(Stop {
            interrupt: signal(SignalKind::interrupt()).named(what)?,
            terminate: signal(SignalKind::terminate()).named(what)?,
            stdin,
        })
    }

    async fn wanted(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = end_of_stdin(), if self.stdin => self.stdin = false,
        }
    }
}

async fn end_of_stdin() {
    let mut stdin = tokio::io::stdin();
    let mut unread = [0; 1024];
    while let Ok(1..) = stdin.read(&mut unread).await {}
}

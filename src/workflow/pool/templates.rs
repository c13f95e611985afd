//! Templates that clients make themselves, each known by a hash of what they put into it.

use std::collections::BTreeSet;

use tokio::sync::oneshot;

use super::{Books, Lender, Refusal, Shared};
use crate::config::Target;
use crate::databases::pool::TemplateId;
use crate::error::{Error, Result};
use crate::postgres::{self, Connection, database};

impl Lender {
    /// Makes an empty database for a client to fill. Until [`Lender::finish_template`], whoever
    /// asks for a clone of it waits.
    ///
    /// # Errors
    /// [`Refusal::TemplateExists`]; [`Refusal::Failed`] where Postgres cannot make it.
    pub async fn begin_template(&self, hash: String) -> Result<Target, Refusal> {
        let target = {
            let mut books = self.0.books();
            if books.closing {
                return Err(Refusal::Closing);
            }
            if books.hashes.contains_key(&hash) {
                return Err(Refusal::TemplateExists);
            }
            let name = format!("{}t{}", self.0.prefix, books.pool.reserve());
            let id = books.pool.add_template(name.clone(), false);
            books.hashes.insert(hash.clone(), id);
            books.target.with_database(name)
        };
        let lender = self.clone();
        // To its end, also where the client goes away meanwhile.
        let made = tokio::spawn(async move {
            let made = lender.create(&target.database).await;
            if made.is_err() {
                lender.0.books().forget(&hash);
            }
            made.map(|()| target)
        });
        finished(made.await)
    }

    async fn create(&self, name: &str) -> Result<()> {
        let mut on = self.session().await?;
        let made = database::create(&mut on, name).await;
        on.close().await;
        made
    }

    /// Whoever is still connected to it is disconnected, and clones of it are made.
    ///
    /// # Errors
    /// [`Refusal::NoTemplate`]; [`Refusal::Failed`].
    pub async fn finish_template(&self, hash: &str) -> Result<(), Refusal> {
        let (id, name) = self.template(hash).ok_or(Refusal::NoTemplate)?;
        let lender = self.clone();
        let finish = tokio::spawn(async move {
            let mut on = lender.session().await?;
            let closed = on.execute(&database::allow_sql(&name, false)).await;
            let alone = match closed {
                Ok(()) => database::disconnect(&mut on, &[&name]).await,
                failed => failed,
            };
            on.close().await;
            alone?;
            lender.0.books().pool.open_template(id);
            lender.0.wake.notify_waiters();
            Ok(())
        });
        finished(finish.await)
    }

    /// Drops it with all of its clones, lent ones too.
    ///
    /// # Errors
    /// [`Refusal::NoTemplate`]; [`Refusal::Failed`].
    pub async fn discard_template(&self, hash: &str) -> Result<(), Refusal> {
        let (_, name) = self.template(hash).ok_or(Refusal::NoTemplate)?;
        self.0.books().forget(hash);
        self.0.wake.notify_waiters();
        let lender = self.clone();
        let discard = tokio::spawn(async move {
            let mut on = lender.session().await?;
            let dropped = database::drop(&mut on, &name).await;
            on.close().await;
            dropped
        });
        finished(discard.await)
    }

    /// Discards all of them.
    ///
    /// # Errors
    /// [`Refusal::Failed`].
    pub async fn discard_templates(&self) -> Result<(), Refusal> {
        let hashes: Vec<String> = self.0.books().hashes.keys().cloned().collect();
        for hash in hashes {
            match self.discard_template(&hash).await {
                // Somebody else did.
                Err(Refusal::NoTemplate) => {}
                result => result?,
            }
        }
        Ok(())
    }

    /// Its number and its database.
    pub fn template(&self, hash: &str) -> Option<(TemplateId, String)> {
        let books = self.0.books();
        let id = *books.hashes.get(hash)?;
        Some((id, books.pool.template(id)?.to_owned()))
    }

    async fn session(&self) -> Result<Connection> {
        let target = Shared::books(&self.0).target.clone();
        postgres::connect(&target).await
    }
}

fn finished<T>(done: Result<Result<T>, tokio::task::JoinError>) -> Result<T, Refusal> {
    done.map_err(|e| Error::failed(e.to_string()))
        .flatten()
        .map_err(Refusal::Failed)
}

impl Books {
    fn forget(&mut self, hash: &str) {
        let Some(id) = self.hashes.remove(hash) else {
            return;
        };
        for ticket in self.pool.remove_template(id) {
            let waiting: Option<oneshot::Sender<_>> = self.tickets.remove(&ticket);
            // Who is gone need not be told.
            let _ = waiting.map(|waiting| waiting.send(Err(Refusal::Discarded)));
        }
    }

    /// Forgets those whose databases a server lost; `there` are the numbers of those that it has.
    pub(super) fn drop_templates_but(&mut self, there: &BTreeSet<u64>) {
        let number = |name: &str| name.rsplit_once("_t")?.1.parse::<u64>().ok();
        let is_there = |id: &TemplateId| {
            let number = self.pool.template(*id).and_then(number);
            number.is_some_and(|number| there.contains(&number))
        };
        let mut lost = Vec::new();
        for (hash, id) in &self.hashes {
            if !is_there(id) {
                lost.push(hash.clone());
            }
        }
        for hash in lost {
            self.forget(&hash);
        }
    }
}

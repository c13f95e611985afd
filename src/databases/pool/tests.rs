use super::*;

/// A pool on a server that does at once what it is told, and remembers it.
struct Bench {
    pool: Pool,
    now: Instant,
    there: BTreeSet<Id>,
    granted: Vec<Grant>,
}

impl Bench {
    fn new(ahead: usize, max: usize) -> Self {
        let limits = Limits {
            ahead,
            max,
            lease: None,
        };
        Bench {
            pool: Pool::new(limits),
            now: Instant::now(),
            there: BTreeSet::new(),
            granted: Vec::new(),
        }
    }

    fn pass(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
    }

    fn work(&mut self) {
        while let Some(job) = self.pool.next_job(self.now) {
            match job {
                Job::Make { id, .. } => {
                    self.there.insert(id);
                    self.granted.extend(self.pool.made(id, self.now));
                }
                Job::Drop { id } | Job::DropUnused { id } => {
                    self.there.remove(&id);
                    self.pool.dropped(id);
                }
            }
        }
    }

    fn ask(&mut self, template: TemplateId, terms: Terms) -> Answer {
        self.pool.ask(template, terms, self.now)
    }

    fn lent(&mut self, template: TemplateId) -> Id {
        match self.ask(template, Terms::UntilReturned) {
            Answer::Lent(id) => id,
            other => panic!("{other:?}"),
        }
    }

    fn ticket(&mut self, template: TemplateId) -> Ticket {
        match self.ask(template, Terms::UntilReturned) {
            Answer::Wait(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_is_lent_is_lent_to_one_only() {
    let mut bench = Bench::new(2, 4);
    let head = bench.pool.add_template("head".into(), true);
    bench.work();
    assert_eq!(bench.there.len(), 2);
    let mut lent = BTreeSet::from([bench.lent(head), bench.lent(head)]);
    let tickets = [bench.ticket(head), bench.ticket(head), bench.ticket(head)];
    bench.work();
    // Four are all that there may be: the third who waits goes on waiting.
    assert_eq!((bench.there.len(), bench.pool.waiting()), (4, 1));
    for (grant, ticket) in bench.granted.drain(..).zip(tickets) {
        assert_eq!(grant.ticket, ticket);
        assert!(lent.insert(grant.id), "{grant:?} is lent already");
    }
    let first = *lent.first().unwrap();
    assert_eq!(bench.pool.give_back(first, false, bench.now), None);
    bench.work();
    assert_eq!(bench.granted[0].ticket, tickets[2]);
    assert!(!lent.contains(&bench.granted[0].id), "it is a new one");
    assert!(!bench.there.contains(&first));
    // Late, and once too often: it is nobody else's.
    assert_eq!(bench.pool.give_back(first, true, bench.now), None);
    assert!(bench.pool.databases().all(|(id, _)| id != first));
}

#[test]
fn a_clean_one_is_lent_again_as_it_is() {
    let mut bench = Bench::new(3, 8);
    let head = bench.pool.add_template("head".into(), true);
    bench.work();
    let id = bench.lent(head);
    bench.pool.give_back(id, true, bench.now);
    assert_eq!(bench.lent(head), id);
    // Where somebody waits it goes from hand to hand.
    let mut full = Bench::new(0, 1);
    let head = full.pool.add_template("head".into(), true);
    let ticket = full.ticket(head);
    full.work();
    let id = full.granted[0].id;
    let next = full.ticket(head);
    assert_ne!(ticket, next);
    let grant = full.pool.give_back(id, true, full.now);
    assert_eq!(grant, Some(Grant { ticket: next, id }));
}

#[test]
fn who_gave_up_gets_nothing() {
    let mut bench = Bench::new(0, 1);
    let head = bench.pool.add_template("head".into(), true);
    let first = bench.ticket(head);
    let second = bench.ticket(head);
    bench.pool.give_up(first);
    bench.work();
    assert_eq!(bench.granted.len(), 1);
    assert_eq!(bench.granted[0].ticket, second);
}

#[test]
fn a_template_that_nobody_wants_makes_room_for_one_that_is_wanted() {
    let mut bench = Bench::new(2, 2);
    let head = bench.pool.add_template("head".into(), true);
    bench.work();
    let other = bench.pool.add_template("other".into(), false);
    let ticket = bench.ticket(other);
    bench.work();
    assert_eq!(bench.pool.waiting(), 1, "it is not finished yet");
    bench.pool.open_template(other);
    bench.work();
    assert_eq!(bench.granted[0].ticket, ticket);
    assert!(bench.there.len() <= 2);
    assert!(bench.pool.remove_template(other).is_empty());
    bench.work();
    assert!(!bench.there.contains(&bench.granted[0].id));
    let gone = bench.ask(other, Terms::WhileUsed);
    assert_eq!(gone, Answer::NoTemplate);
    bench.lent(head);
}

#[test]
fn only_what_nobody_needs_to_return_is_taken_back() {
    let mut bench = Bench::new(0, 2);
    let head = bench.pool.add_template("head".into(), true);
    bench.ask(head, Terms::WhileUsed);
    bench.ticket(head);
    bench.work();
    let (loose, kept) = (bench.granted[0].id, bench.granted[1].id);
    bench.ticket(head);
    bench.work();
    assert_eq!(bench.granted.len(), 2, "it was lent just now");
    bench.pass(300);
    let job = bench.pool.next_job(bench.now);
    assert_eq!(job, Some(Job::DropUnused { id: loose }));
    bench.pool.still_used(loose, bench.now);
    assert_eq!(bench.pool.next_job(bench.now), None);
    bench.pass(300);
    bench.work();
    assert_eq!(bench.granted.len(), 3);
    assert!(bench.there.contains(&kept) && !bench.there.contains(&loose));
}

#[test]
fn a_lease_ends_where_it_has_an_end() {
    let mut bench = Bench::new(1, 2);
    bench.pool.limits.lease = Some(Duration::from_secs(1));
    let head = bench.pool.add_template("head".into(), true);
    bench.work();
    let id = bench.lent(head);
    bench.pass(999);
    assert!(bench.pool.expire(bench.now).is_empty());
    bench.pass(1);
    assert_eq!(bench.pool.expire(bench.now), [id]);
    bench.work();
    assert!(!bench.there.contains(&id) && !bench.pool.is_lent(id));
}

#[test]
fn failures_are_tried_again_after_a_pause_that_grows() {
    let mut bench = Bench::new(0, 2);
    let head = bench.pool.add_template("head".into(), true);
    bench.ticket(head);
    for pause in [50, 100, 200, 400, 800, 1000, 1000] {
        let Some(Job::Make { id, .. }) = bench.pool.next_job(bench.now) else {
            panic!("nothing is tried");
        };
        bench.pool.not_made(id, bench.now);
        bench.pass(pause - 1);
        assert_eq!(bench.pool.next_job(bench.now), None);
        bench.pass(1);
        // What the failure may have left goes when it is in the way.
        if bench.pool.databases().count() == 2 {
            let job = bench.pool.next_job(bench.now).unwrap();
            assert!(matches!(job, Job::Drop { id } if { bench.pool.dropped(id); true }));
        }
    }
    bench.work();
    assert_eq!(bench.granted.len(), 1);
}

#[test]
fn what_a_server_lost_is_not_lent() {
    let mut bench = Bench::new(2, 4);
    let head = bench.pool.add_template("head".into(), true);
    bench.work();
    let lent = bench.lent(head);
    bench.pool.keep_only(&BTreeSet::from([lent]));
    assert!(bench.pool.is_lent(lent));
    assert_eq!(bench.pool.databases().count(), 1);
    bench.pool.renew_template(head, "head again".into());
    let Some(Job::Make { template, .. }) = bench.pool.next_job(bench.now) else {
        panic!("nothing is made");
    };
    assert_eq!(template, "head again");
    // It is what head was before.
    assert_eq!(bench.pool.give_back(lent, true, bench.now), None);
    assert!(!bench.pool.is_lent(lent));
    bench.work();
    assert!(!bench.there.contains(&lent));
}

#[test]
fn as_many_go_as_come() {
    let mut bench = Bench::new(0, 100);
    let head = bench.pool.add_template("head".into(), true);
    for _ in 0..4 {
        bench.ticket(head);
    }
    bench.work();
    for grant in std::mem::take(&mut bench.granted) {
        bench.pool.give_back(grant.id, false, bench.now);
    }
    for _ in 0..3 {
        bench.ticket(head);
    }
    // Four are to go and three are wanted: there is room for many more, and yet one goes first.
    let first = bench.pool.next_job(bench.now);
    assert!(matches!(first, Some(Job::Drop { .. })), "{first:?}");
    let second = bench.pool.next_job(bench.now);
    assert!(matches!(second, Some(Job::Make { .. })), "{second:?}");
}

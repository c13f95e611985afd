//! The order of steps: one stable topological sort over what they make, need and destroy.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};

use super::model::{Id, Kind};
use super::plan::{Action, Step};
use super::rules::Claim;

/// A name that a step takes or gives free. See [`Claim`].
pub(super) struct Claims {
    /// By step: names that must be free before it.
    pub takes: Vec<Vec<Claim>>,
    /// By step: names that are free after it.
    pub frees: Vec<Vec<Claim>>,
}

/// The steps in an order that works, or the parts that must be made apart from their whole
/// because otherwise there is none, besides those that are `apart` already. `needs` gives what an object needs on either side.
pub(super) fn order(
    steps: Vec<Step>,
    claims: &Claims,
    apart: &BTreeSet<Id>,
    needs: &dyn Fn(&Id) -> Vec<Id>,
) -> Result<Vec<Step>, BTreeSet<Id>> {
    let edges = edges(&steps, claims);
    let mut waiting = vec![0usize; steps.len()];
    for after in &edges {
        for &next in after {
            waiting[next] += 1;
        }
    }
    let runs = running(&steps, needs);
    let ranks: Vec<Rank> = steps
        .iter()
        .enumerate()
        .map(|(i, step)| rank(i, step, runs[i]))
        .collect();
    let mut ready: BinaryHeap<Reverse<(&Rank, usize)>> = BinaryHeap::new();
    let mut done = vec![false; steps.len()];
    ready.extend(
        (0..steps.len())
            .filter(|&i| waiting[i] == 0)
            .map(|i| Reverse((&ranks[i], i))),
    );
    let mut sorted: Vec<usize> = Vec::with_capacity(steps.len());
    while sorted.len() < steps.len() {
        while let Some(Reverse((_, step))) = ready.pop() {
            done[step] = true;
            sorted.push(step);
            for &next in &edges[step] {
                waiting[next] = waiting[next].saturating_sub(1);
                if waiting[next] == 0 && !done[next] {
                    ready.push(Reverse((&ranks[next], next)));
                }
            }
        }
        if sorted.len() == steps.len() {
            break;
        }
        let circle = circle(&edges, &done);
        let mut parts = parts_to_split(&steps, &circle, needs);
        parts.retain(|id| !apart.contains(id));
        if !parts.is_empty() {
            return Err(parts);
        }
        // Nothing left to split: the step that would come first anyway goes first.
        if let Some(first) = circle.iter().copied().min_by_key(|&i| &ranks[i]) {
            waiting[first] = 0;
            ready.push(Reverse((&ranks[first], first)));
        }
    }
    let mut slots: Vec<Option<Step>> = steps.into_iter().map(Some).collect();
    Ok(sorted.into_iter().filter_map(|i| slots[i].take()).collect())
}

/// Where a step stands among those that could come next: drops first and the other way round,
/// then by kind and name, then as the rules gave them.
type Rank = (u8, u16, Id, usize);

fn rank(index: usize, step: &Step, runs: bool) -> Rank {
    let kind = step.kind() as u16;
    let (phase, place) = match step.action {
        _ if step.kind() == Kind::DefaultPrivileges => (3, kind),
        Action::Drop => (0, u16::MAX - kind),
        _ if runs => (2, kind),
        _ => (1, kind),
    };
    (phase, place, step.object.clone(), index)
}

/// Which steps run a routine that this plan makes, rather than only speak of it. What its body
/// uses is text to Postgres: all that can come before such a step has to.
fn running(steps: &[Step], needs: &dyn Fn(&Id) -> Vec<Id>) -> Vec<bool> {
    let is_routine = |kind| matches!(kind, Kind::Function | Kind::Procedure | Kind::Aggregate);
    let routines: HashSet<&Id> = steps
        .iter()
        .filter(|step| step.action != Action::Drop && is_routine(step.kind()))
        .map(|step| &step.object)
        .collect();
    // What is known to lead to none of them.
    let mut clear: HashSet<Id> = HashSet::new();
    let mut reaches = |step: &Step| {
        let mut seen: HashSet<Id> = HashSet::new();
        let mut todo = step.needs.clone();
        while let Some(id) = todo.pop() {
            if routines.contains(&id) {
                return true;
            }
            if !clear.contains(&id) && seen.insert(id.clone()) {
                todo.extend(needs(&id));
            }
        }
        clear.extend(seen);
        false
    };
    let evaluates = |step: &Step| {
        let kinds = [
            Kind::DomainConstraint,
            Kind::Column,
            Kind::Constraint,
            Kind::Index,
            Kind::MaterializedView,
        ];
        step.action != Action::Drop && kinds.contains(&step.kind())
    };
    let run = |step| !routines.is_empty() && evaluates(step) && reaches(step);
    steps.iter().map(run).collect()
}

/// For each step, the steps that must come later.
fn edges(steps: &[Step], claims: &Claims) -> Vec<Vec<usize>> {
    let mut makers: HashMap<&Id, Vec<usize>> = HashMap::new();
    let mut alterers: HashMap<&Id, Vec<usize>> = HashMap::new();
    let mut destroyers: HashMap<&Id, Vec<usize>> = HashMap::new();
    let mut frees: HashMap<&Claim, Vec<usize>> = HashMap::new();
    for (i, step) in steps.iter().enumerate() {
        for id in &step.makes {
            makers.entry(id).or_default().push(i);
        }
        for id in &step.destroys {
            destroyers.entry(id).or_default().push(i);
        }
        if step.action == Action::Alter {
            for id in step.alters.iter().chain([&step.object]) {
                alterers.entry(id).or_default().push(i);
            }
        }
        for claim in &claims.frees[i] {
            frees.entry(claim).or_default().push(i);
        }
    }
    // Privileges by default must not change while things are made.
    let defaults = |(_, step): &(usize, &Step)| step.kind() == Kind::DefaultPrivileges;
    let defaults: Vec<usize> = steps
        .iter()
        .enumerate()
        .filter(defaults)
        .map(|(i, _)| i)
        .collect();
    let of = |map: &HashMap<&Id, Vec<usize>>, id: &Id| map.get(id).cloned().unwrap_or_default();
    let mut edges: Vec<Vec<usize>> = vec![Vec::new(); steps.len()];
    let mut before = |first: usize, second: usize| {
        if first != second {
            edges[first].push(second);
        }
    };
    for (i, step) in steps.iter().enumerate() {
        for id in &step.needs {
            of(&makers, id).into_iter().for_each(|m| before(m, i));
            let others = |a: &usize| steps[*a].object != step.object;
            let alterers = of(&alterers, id).into_iter().filter(others);
            alterers.for_each(|a| before(a, i));
        }
        for id in &step.releases {
            of(&destroyers, id).into_iter().for_each(|d| before(i, d));
            if step.action == Action::Drop {
                // A new value of an enum is in nobody's way.
                let alterers = of(&alterers, id).into_iter();
                let alterers = alterers.filter(|&a| steps[a].adds_value.is_none());
                alterers.for_each(|a| before(i, a));
            }
        }
        for id in &step.makes {
            // What ends something that stood aside needs it first.
            let ends = |d: &usize| !steps[*d].needs.contains(id);
            let old = of(&destroyers, id).into_iter().filter(ends);
            old.for_each(|d| before(d, i));
        }
        if step.action == Action::Create && step.kind() != Kind::DefaultPrivileges {
            for &d in &defaults {
                // What is in an extension gets them for good: those of Postgres, where that can be.
                match step.kind() == Kind::Extension && steps[d].action == Action::Drop {
                    true => before(d, i),
                    false => before(i, d),
                }
            }
        }
        for claim in &claims.takes[i] {
            let free = frees.get(claim).cloned().unwrap_or_default();
            free.into_iter().for_each(|f| before(f, i));
        }
        // Several steps about one object come in the order in which its rules gave them.
        if let Some(next) = steps.get(i + 1)
            && next.object == step.object
            && (next.action == step.action || next.action == Action::Detail)
        {
            before(i, i + 1);
        }
    }
    edges
}

/// The steps of one strongly connected part of what is left: the one that nothing else left over
/// leads into.
fn circle(edges: &[Vec<usize>], done: &[bool]) -> Vec<usize> {
    let reach = |start: usize, edges: &[Vec<usize>]| {
        let mut seen = HashSet::new();
        let mut todo = vec![start];
        while let Some(step) = todo.pop() {
            for &next in &edges[step] {
                if !done[next] && seen.insert(next) {
                    todo.push(next);
                }
            }
        }
        seen
    };
    let mut back: Vec<Vec<usize>> = vec![Vec::new(); edges.len()];
    for (step, after) in edges.iter().enumerate() {
        for &next in after {
            back[next].push(step);
        }
    }
    let Some(mut start) = done.iter().position(|d| !d) else {
        return Vec::new();
    };
    // Walk against the arrows until nothing new leads in.
    loop {
        let ahead = reach(start, edges);
        let behind = reach(start, &back);
        match behind.iter().filter(|s| !ahead.contains(*s)).min() {
            Some(&earlier) => start = earlier,
            None => {
                let mut circle: Vec<usize> = ahead.intersection(&behind).copied().collect();
                circle.sort_unstable();
                return if circle.is_empty() {
                    vec![start]
                } else {
                    circle
                };
            }
        }
    }
}

/// Parts that are made or dropped with their whole though they need something that another step
/// of the circle makes, drops or alters.
fn parts_to_split(
    steps: &[Step],
    circle: &[usize],
    needs: &dyn Fn(&Id) -> Vec<Id>,
) -> BTreeSet<Id> {
    let touched = |step: &Step| {
        let altered = Some(&step.object).filter(|_| step.action == Action::Alter);
        let ids = step.makes.iter().chain(&step.destroys).chain(altered);
        ids.cloned().collect::<BTreeSet<Id>>()
    };
    let all: Vec<(usize, BTreeSet<Id>)> = circle.iter().map(|&i| (i, touched(&steps[i]))).collect();
    let mut result = BTreeSet::new();
    for (i, ids) in &all {
        for id in ids {
            let needs = needs(id);
            // What a child inherits comes and goes with its parent's.
            let inherits = |need: &Id| need.kind() == id.kind() && need.part() == id.part();
            let elsewhere = |need: &Id| all.iter().any(|(j, other)| j != i && other.contains(need));
            let splits = splits(id.kind(), steps[*i].makes.contains(id))
                && *id != steps[*i].object
                && !(id.kind() == Kind::Constraint && needs.iter().any(inherits))
                && needs.iter().any(elsewhere);
            if splits {
                result.insert(id.clone());
            }
        }
    }
    result
}

/// Whether there is a statement that makes such a part, or drops it, apart from its whole.
fn splits(part: Kind, made: bool) -> bool {
    match part {
        Kind::Default | Kind::Constraint => true,
        Kind::Index | Kind::Statistics | Kind::Trigger | Kind::Rule | Kind::Policy => !made,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(kind: Kind, name: &str) -> Id {
        Id::new(kind, "s", name, "")
    }

    fn part(kind: Kind, name: &str, part: &str) -> Id {
        Id::new(kind, "s", name, part)
    }

    fn sorted(steps: Vec<Step>) -> Result<Vec<String>, BTreeSet<Id>> {
        with_needs(steps, &|_| Vec::new())
    }

    fn with_needs(
        steps: Vec<Step>,
        needs: &dyn Fn(&Id) -> Vec<Id>,
    ) -> Result<Vec<String>, BTreeSet<Id>> {
        let claims = Claims {
            takes: vec![Vec::new(); steps.len()],
            frees: vec![Vec::new(); steps.len()],
        };
        let steps = order(steps, &claims, &BTreeSet::new(), needs)?;
        Ok(steps.into_iter().map(|step| step.sql).collect())
    }

    #[test]
    fn drops_come_first_and_the_rest_by_kind_and_name() {
        let steps = vec![
            Step::create(&id(Kind::View, "v"), "make v"),
            Step::create(&id(Kind::Table, "b"), "make b"),
            Step::create(&id(Kind::Table, "a"), "make a"),
            Step::detail(&id(Kind::Table, "a"), "comment a"),
            Step::drop(&id(Kind::Table, "z"), "drop z"),
            Step::drop(&id(Kind::View, "y"), "drop y"),
        ];
        let order = [
            "drop y",
            "drop z",
            "make a",
            "comment a",
            "make b",
            "make v",
        ];
        assert_eq!(sorted(steps).unwrap(), order);
    }

    #[test]
    fn needs_overrule_the_usual_order() {
        let function = id(Kind::Function, "f");
        let table = id(Kind::Table, "a");
        let steps = vec![
            Step::create(&table, "make a").needing([function.clone()]),
            Step::create(&function, "make f"),
            Step::alter(&function, "alter g").releasing([id(Kind::Enum, "e")]),
            Step::drop(&id(Kind::Enum, "e"), "drop e"),
        ];
        assert_eq!(
            sorted(steps).unwrap(),
            ["make f", "alter g", "drop e", "make a"]
        );
    }

    #[test]
    fn what_is_dropped_and_made_again_is_dropped_before() {
        let view = id(Kind::View, "v");
        let column = part(Kind::Column, "t", "c");
        let steps = vec![
            Step::create(&view, "make v").needing([column.clone()]),
            Step::alter(&column, "alter c"),
            Step::drop(&view, "drop v").releasing([column.clone()]),
        ];
        assert_eq!(sorted(steps).unwrap(), ["drop v", "alter c", "make v"]);
    }

    #[test]
    fn a_circle_is_split_at_the_parts_that_close_it() {
        let (a, b) = (id(Kind::Table, "a"), id(Kind::Table, "b"));
        let (to_b, to_a) = (
            part(Kind::Constraint, "a", "k"),
            part(Kind::Constraint, "b", "k"),
        );
        let check = part(Kind::Constraint, "a", "check");
        let mut make_a = Step::create(&a, "make a").needing([b.clone()]);
        make_a.makes.extend([to_b.clone(), check]);
        let mut make_b = Step::create(&b, "make b").needing([a.clone()]);
        make_b.makes.push(to_a.clone());
        let needs = |id: &Id| match id {
            id if *id == to_b => vec![b.clone()],
            id if *id == to_a => vec![a.clone()],
            _ => Vec::new(),
        };
        let split = with_needs(vec![make_a, make_b], &needs).unwrap_err();
        assert_eq!(split, BTreeSet::from([to_a.clone(), to_b.clone()]));
    }

    #[test]
    fn a_circle_that_cannot_be_split_still_has_an_order() {
        let (f, g) = (id(Kind::Function, "f"), id(Kind::Function, "g"));
        let steps = vec![
            Step::create(&g, "make g").needing([f.clone()]),
            Step::create(&f, "make f").needing([g.clone()]),
            Step::create(&id(Kind::View, "v"), "make v").needing([g.clone()]),
        ];
        assert_eq!(sorted(steps).unwrap(), ["make f", "make g", "make v"]);
    }
}

//! How high each box and each passing line stands, its layer's order being known.

use super::order::{Neighbours, Net, SWEEPS};
use super::{GAP, LANE_GAP};

impl Net {
    /// The top of each item. Items go to where their lines are straight, as far as those above
    /// and below allow.
    pub fn settle(&self) -> Vec<i32> {
        let sides = [self.neighbours(true), self.neighbours(false)];
        let mut tops = vec![0.0; self.items.len()];
        for layer in &self.layers {
            let mut y = 0.0;
            for &item in layer {
                tops[item] = y;
                y += f64::from(self.items[item].height + GAP);
            }
        }
        for sweep in 0..SWEEPS {
            let rightwards = sweep % 2 == 0;
            for step in 0..self.layers.len() {
                let at = if rightwards {
                    step
                } else {
                    self.layers.len() - 1 - step
                };
                self.settle_layer(&self.layers[at], &sides, &mut tops);
            }
        }
        tops.iter().map(|y| y.round() as i32).collect()
    }

    fn settle_layer(&self, layer: &[usize], sides: &[Neighbours; 2], tops: &mut [f64]) {
        let mut wanted = Vec::with_capacity(layer.len());
        for &item in layer {
            let (mut sum, mut weights) = (0.0, 0.0);
            for &(other, port, own) in sides.iter().flat_map(|side| &side[item]) {
                let passes = |i: usize| usize::from(self.items[i].node.is_none());
                let weight = [1.0, 2.0, 8.0][passes(item) + passes(other)];
                sum += weight * (tops[other] + f64::from(port - own));
                weights += weight;
            }
            wanted.push(match weights > 0.0 {
                true => (sum / weights, weights),
                false => (tops[item], 0.1),
            });
        }
        let mut offsets = Vec::with_capacity(layer.len());
        let mut offset = 0.0;
        for (i, &item) in layer.iter().enumerate() {
            if i > 0 {
                offset += f64::from(self.distance(layer[i - 1], item));
            }
            offsets.push(offset);
        }
        let level: Vec<(f64, f64)> = wanted
            .iter()
            .zip(&offsets)
            .map(|(&(y, weight), offset)| (y - offset, weight))
            .collect();
        for ((&item, y), offset) in layer.iter().zip(never_falling(&level)).zip(&offsets) {
            tops[item] = y + offset;
        }
    }

    /// How far the tops of two items are apart at least, the first above the second.
    fn distance(&self, above: usize, below: usize) -> i32 {
        let gap = match (self.items[above].node, self.items[below].node) {
            (Some(_), Some(_)) => GAP,
            _ => LANE_GAP,
        };
        self.items[above].height + gap
    }
}

/// The sequence that never falls and is nearest to the wanted one, each value with its weight
/// (pool adjacent violators).
fn never_falling(wanted: &[(f64, f64)]) -> Vec<f64> {
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for &(value, weight) in wanted {
        let mut pool = (value, weight, 1);
        while let Some(&(before, its_weight, count)) = pools.last() {
            if before <= pool.0 {
                break;
            }
            pools.pop();
            let weight = its_weight + pool.1;
            pool = (
                (before * its_weight + pool.0 * pool.1) / weight,
                weight,
                count + pool.2,
            );
        }
        pools.push(pool);
    }
    pools
        .iter()
        .flat_map(|&(value, _, count)| std::iter::repeat_n(value, count))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_fall_meets_in_the_middle() {
        let wanted = [(1.0, 1.0), (5.0, 1.0), (3.0, 1.0), (9.0, 1.0)];
        assert_eq!(never_falling(&wanted), [1.0, 4.0, 4.0, 9.0]);
    }
}

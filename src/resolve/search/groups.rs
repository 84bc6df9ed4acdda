//! Groups of images that are searched together: those of one repository, and those that share more layers than the
//! operating system.

use std::{collections::HashMap, hash::Hash};

/// The number of shared leading layers from which two images probably share their base. The lowest layer is the
/// operating system.
pub(super) const SHARED_LAYERS: usize = 2;

/// The positions of images, grouped by what they have in common; each is in one group.
pub(super) fn groups<K: Eq + Hash>(keys: impl IntoIterator<Item = Vec<K>>) -> Vec<Vec<usize>> {
    let mut first: HashMap<K, usize> = HashMap::new();
    let mut parents: Vec<usize> = Vec::new();
    for (position, keys) in keys.into_iter().enumerate() {
        parents.push(position);
        for key in keys {
            let other = *first.entry(key).or_insert(position);
            let (one, other) = (root(&parents, position), root(&parents, other));
            // The earliest one represents the group.
            parents[one.max(other)] = one.min(other);
        }
    }
    let mut group_of_root: HashMap<usize, usize> = HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for position in 0..parents.len() {
        let group = *group_of_root.entry(root(&parents, position)).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[group].push(position);
    }
    groups
}

fn root(parents: &[usize], mut position: usize) -> usize {
    while parents[position] != position {
        position = parents[position];
    }
    position
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_grouped_transitively() {
        assert_eq!(groups([vec!["a"], vec!["b"], vec!["c", "b"], vec![], vec!["a", "c"]]), [vec![0, 1, 2, 4], vec![3]]);
        assert_eq!(groups(Vec::<Vec<u8>>::new()), Vec::<Vec<usize>>::new());
    }
}

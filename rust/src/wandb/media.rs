//! Owns the re-assembly of values that wandb-core took apart: histograms, images, tables.
//!
//! Core writes a mapping as one item for each leaf, in random order. A leaf `_type` tells that its
//! mapping was one value; everything else below the same prefix belongs to it.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::json;

/// A mapping under construction. Names are sorted: the order in the file is random anyway.
enum Tree {
    Leaf(String),
    Branch(BTreeMap<String, Tree>),
}

/// The values of one row that are being put together, by the paths that lead to them.
///
/// None of the paths leads into another.
#[derive(Default)]
pub struct Media {
    mappings: BTreeMap<Vec<String>, BTreeMap<String, Tree>>,
}

impl Media {
    /// A mapping with a `_type`. Of two that contain each other, the outer one counts.
    pub fn add_prefix(&mut self, prefix: &[String]) {
        if self.prefix_of(prefix).is_some() {
            return;
        }
        while let Some((inner, _)) = self.mappings.range(prefix.to_vec()..).next()
            && inner.starts_with(prefix)
        {
            let inner = inner.clone();
            self.mappings.remove(&inner);
        }
        self.mappings.insert(prefix.to_vec(), BTreeMap::new());
    }

    /// How many elements of this path lead to a mapping that it lies in, or is.
    pub fn prefix_of(&self, path: &[String]) -> Option<usize> {
        // What sorts between a path and one that it leads into is itself led into by the former.
        let before = (Bound::Unbounded, Bound::Included(path));
        let (nearest, _) = self.mappings.range::<[String], _>(before).next_back()?;
        path.starts_with(nearest).then_some(nearest.len())
    }

    /// Puts a member in. False if something stood there already; the later one counts.
    pub fn put(&mut self, path: &[String], prefix: usize, json: String) -> bool {
        let (prefix, rest) = path.split_at(prefix);
        let Some((last, way)) = rest.split_last() else {
            return false; // a value at the very path of the mapping
        };
        let Some(mut branch) = self.mappings.get_mut(prefix) else {
            return false;
        };
        let mut is_free = true;
        for name in way {
            let tree = branch
                .entry(name.clone())
                .or_insert_with(|| Tree::Branch(BTreeMap::new()));
            if let Tree::Leaf(_) = tree {
                is_free = false;
                *tree = Tree::Branch(BTreeMap::new());
            }
            let Tree::Branch(inner) = tree else {
                return false;
            };
            branch = inner;
        }
        branch.insert(last.clone(), Tree::Leaf(json)).is_none() && is_free
    }

    /// Each mapping's path, and the mapping as JSON.
    pub fn finish(self) -> Vec<(Vec<String>, String)> {
        let write = |(path, members): (Vec<String>, BTreeMap<String, Tree>)| {
            let mut json = String::new();
            write_branch(&members, &mut json);
            (path, json)
        };
        self.mappings.into_iter().map(write).collect()
    }
}

fn write_branch(members: &BTreeMap<String, Tree>, json: &mut String) {
    json.push('{');
    for (index, (name, tree)) in members.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        json.push_str(&json::quote(name));
        json.push(':');
        match tree {
            Tree::Leaf(text) => json.push_str(text),
            Tree::Branch(inner) => write_branch(inner, json),
        }
    }
    json.push('}');
}

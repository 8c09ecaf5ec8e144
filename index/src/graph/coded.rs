//! Vectors in memory, kept as codes: a quarter of their size.

use std::collections::HashMap;

use super::codes;
use super::points::Points;

/// Vectors with ids, kept as codes. Equal vectors are one point.
#[derive(Debug, Clone)]
pub(crate) struct CodedVectors {
    dimension: usize,
    rows: Vec<u8>,
    ids_start: Vec<u32>,
    ids: Vec<u32>,
}

impl CodedVectors {
    pub(crate) fn points(&self) -> Points<'_> {
        Points {
            dimension: self.dimension,
            rows: &self.rows,
            ids_start: &self.ids_start,
            ids: &self.ids,
        }
    }
}

/// Collects [`CodedVectors`], by ascending ids.
#[derive(Debug)]
pub(crate) struct CodedVectorsBuilder {
    dimension: usize,
    rows: Vec<u8>,
    /// The point of a vector added by [`add`](Self::add), by the vector's hash.
    points: HashMap<[u8; 16], u32>,
    n_points: u32,
    /// (point, id), in the order added.
    members: Vec<(u32, u32)>,
}

impl CodedVectorsBuilder {
    pub(crate) fn new(dimension: usize) -> Self {
        Self {
            dimension,
            rows: Vec::new(),
            points: HashMap::new(),
            n_points: 0,
            members: Vec::new(),
        }
    }

    /// Adds those ids of `old` that `keep` returns true for.
    pub(crate) fn keep(&mut self, old: &CodedVectors, keep: impl Fn(u32) -> bool) {
        let points = old.points();
        for point in (0u32..).take(points.n_points()) {
            let before = self.members.len();
            let kept = points.ids_of(point).iter().filter(|&&id| keep(id));
            self.members.extend(kept.map(|&id| (self.n_points, id)));
            if self.members.len() > before {
                self.rows
                    .extend_from_slice(points.row(point).unwrap_or(&[]));
                self.n_points += 1;
            }
        }
    }

    /// Adds a vector.
    pub(crate) fn add(&mut self, id: u32, vector: &[f32]) {
        let point = *self.points.entry(hash(vector)).or_insert(self.n_points);
        if point == self.n_points {
            codes::encode(vector, &mut self.rows);
            self.n_points += 1;
        }
        self.members.push((point, id));
    }

    /// Number of points.
    pub(crate) fn n_points(&self) -> usize {
        self.n_points as usize
    }

    pub(crate) fn finish(mut self) -> CodedVectors {
        self.members.sort_unstable();
        let mut ids_start = vec![0; self.n_points as usize + 1];
        for (end, &(point, _)) in (1..).zip(&self.members) {
            ids_start[point as usize + 1] = end;
        }
        CodedVectors {
            dimension: self.dimension,
            rows: self.rows,
            ids_start,
            ids: self.members.iter().map(|member| member.1).collect(),
        }
    }
}

fn hash(vector: &[f32]) -> [u8; 16] {
    let mut short = [0; 16];
    let hash = blake3::hash(bytemuck::cast_slice(vector));
    short.copy_from_slice(&hash.as_bytes()[..16]);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(vectors: &CodedVectors) -> Vec<(Vec<u32>, Vec<u8>)> {
        let points = vectors.points();
        let listed = (0u32..).take(points.n_points());
        listed
            .map(|point| {
                (
                    points.ids_of(point).to_vec(),
                    points.row(point).unwrap().to_vec(),
                )
            })
            .collect()
    }

    fn row(vector: &[f32]) -> Vec<u8> {
        let mut row = Vec::new();
        codes::encode(vector, &mut row);
        row
    }

    #[test]
    fn equal_vectors_are_one_point_and_old_ones_are_kept_on_demand() {
        let (a, b, c) = ([1.0, 0.0], [0.0, 1.0], [0.6, 0.8]);
        let mut builder = CodedVectorsBuilder::new(2);
        for (id, vector) in [(3, a), (4, b), (6, a), (9, c)] {
            builder.add(id, &vector);
        }
        let old = builder.finish();
        let expected = [
            (vec![3, 6], row(&a)),
            (vec![4], row(&b)),
            (vec![9], row(&c)),
        ];
        assert_eq!(listed(&old), expected);
        let mut builder = CodedVectorsBuilder::new(2);
        builder.keep(&old, |id| id != 3 && id != 4);
        builder.add(10, &b);
        builder.add(11, &b);
        assert_eq!(builder.n_points(), 3);
        let new = builder.finish();
        let expected = [
            (vec![6], row(&a)),
            (vec![9], row(&c)),
            (vec![10, 11], row(&b)),
        ];
        assert_eq!(listed(&new), expected);
        assert_eq!(CodedVectorsBuilder::new(2).finish().points().n_points(), 0);
    }
}

//! Draws types, and what consists of them: families and tags.

use super::Draw;
use crate::generate::plan::*;

impl Draw<'_, '_> {
    /// Between `least` and `most` types; `families` is 0 where no continuation type may stand.
    pub(super) fn types(&mut self, least: u32, most: u32, families: u8) -> Vec<ValueType> {
        let extra = self.weighted(&[(34, 0), (34, 1), (20, 2), (12, 3)]);
        (0..(least + extra).min(most))
            .map(|_| self.ty(families))
            .collect()
    }

    /// [`Draw::types`], now and then as many as make an engine pass them on the stack.
    fn types_or_wide(&mut self, families: u8) -> Vec<ValueType> {
        let count = match self.below(400) {
            390..=396 => 10 + self.below(20),
            397..=398 => 80 + self.below(30),
            _ => return self.types(0, 3, families),
        };
        // A repeating pattern: as wide as random ones, and cheaper to draw.
        let pattern: Vec<ValueType> = (0..5).map(|_| self.ty(families)).collect();
        pattern.into_iter().cycle().take(count as usize).collect()
    }

    fn ty(&mut self, families: u8) -> ValueType {
        use ValueType::*;
        let cont = if families == 0 { 0 } else { 8 };
        let vector = if self.vectors { 24 } else { 0 };
        let object = if self.objects { 10 } else { 0 };
        let ty = self.weighted(&[
            (30, I32),
            (16, I64),
            (10, F32),
            (10, F64),
            (8, FuncRef),
            (5, ExternRef),
            (6, ExnRef),
            (cont, ContRef(0)),
            (vector, V128),
            (object * 3, AnyRef),
            (object * 2, StructRef),
        ]);
        match ty {
            ContRef(_) => ContRef(self.below(u32::from(families)) as u8),
            plain => plain,
        }
    }

    /// Adds a reference to an object, in a part of the modules that have any.
    fn with_object(&mut self, mut types: Vec<ValueType>) -> Vec<ValueType> {
        if self.objects && self.chance(40) {
            let ty = self.weighted(&[(60, ValueType::AnyRef), (40, ValueType::StructRef)]);
            let at = self.below(types.len() as u32 + 1) as usize;
            types.insert(at, ty);
        }
        types
    }

    pub(super) fn families(&mut self, plan: &mut Plan) {
        let count = self.weighted(&[(60, 1), (36, 2), (4, 3)]);
        let symmetric = self.chance(40);
        let params = if self.chance(45) {
            Vec::new()
        } else {
            self.types_or_wide(0)
        };
        let params = self.with_object(params);
        let of_results = if self.chance(3) { count } else { 0 };
        let of_switches = if self.chance(15) { count } else { 0 };
        let first = Family {
            results: self.results(of_results),
            switch_values: {
                let values = self.types(0, 2, of_switches);
                self.with_object(values)
            },
            params,
            symmetric,
            switch_tag: 0,
            open: self.chance(40),
        };
        let loop_params = first.loop_params(0);
        plan.families.push(first);
        for _ in 1..count {
            // A suffix of the first family's, so that whoever suspends can be resumed by drivers of either.
            let from = self.below(loop_params.len() as u32 + 1) as usize;
            let of_results = if self.chance(12) { count } else { 0 };
            plan.families.push(Family {
                params: loop_params[from..].to_vec(),
                results: self.results(of_results),
                symmetric: false,
                switch_values: self.types(0, 2, count),
                switch_tag: 0,
                open: self.chance(30),
            });
        }
    }

    /// Results of a family; with a continuation among them if `families` is not 0.
    fn results(&mut self, families: u8) -> Vec<ValueType> {
        if families > 0 {
            let mut results = self.types(0, 2, families);
            let family = self.below(u32::from(families)) as u8;
            results.push(ValueType::ContRef(family));
            return results;
        }
        let results = if self.chance(30) {
            Vec::new()
        } else {
            self.types_or_wide(0)
        };
        self.with_object(results)
    }

    pub(super) fn tags(&mut self, plan: &mut Plan) {
        let families = plan.families.len() as u8;
        let loop_params = plan.families[0].loop_params(0);
        for group in 0..1 + self.below(3) {
            // One type for several tags: their clauses share a label.
            let params = if group == 0 && self.chance(40) {
                Vec::new()
            } else {
                self.types_or_wide(families)
            };
            let params = self.with_object(params);
            let results = if self.chance(45) {
                Vec::new()
            } else {
                self.types(1, 2, families)
            };
            let mut results = self.with_object(results);
            results.extend(&loop_params);
            for _ in 0..self.weighted(&[(50, 1), (40, 2), (10, 3)]) {
                let imported = self.chance(20);
                plan.tags.push(Tag {
                    params: params.clone(),
                    results: results.clone(),
                    imported,
                });
            }
        }
        for _ in 0..1 + self.below(2) {
            let params = self.types_or_wide(families);
            let params = self.with_object(params);
            plan.tags.push(Tag {
                params,
                results: Vec::new(),
                imported: self.chance(20),
            });
        }
        if self.holder == Some(Object::Exception) || self.holder.is_some() && self.chance(20) {
            let mut params = self.types(0, 1, 0);
            params.push(ValueType::ContRef(0));
            plan.tags.push(Tag {
                params,
                results: Vec::new(),
                imported: false,
            });
        }
        for family in 0..plan.families.len() {
            let results = plan.families[family].results.clone();
            plan.tags.push(Tag {
                params: Vec::new(),
                results,
                imported: self.chance(20),
            });
        }
        self.shuffle(&mut plan.tags);
    }

    pub(super) fn prefix(&mut self, families: u8) -> Vec<ValueType> {
        match self.below(1000) {
            // More than a small stack segment holds: see bug-classes, arguments larger than the stack.
            997.. => {
                let ty = self.ty(0);
                vec![ty; 300 + self.below(300) as usize]
            }
            500.. => self.types(1, 4, families),
            _ => Vec::new(),
        }
    }
}

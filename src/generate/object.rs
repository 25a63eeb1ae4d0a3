//! Objects: structures, arrays and `i31` that flow as values, and those that keep continuations.
//!
//! What is made here is mostly handed on at once, so that the only reference to it is in a payload, among bound arguments, in
//! the frame of a suspended function or on its operand stack. What arrives is *inspected*: a helper reads it, counts it up and
//! mixes what it read into a global, so that an object that was freed too early, or read before it was changed, shows.

use super::body::Body;
use super::cx::{Cx, EXCEPTION, FUEL};
use super::helper::Helper;
use super::leaf::SINKS;
use super::plan::{Object, ValueType};
use super::types::{ANYREF, nullable};
use wasm_encoder::{AbstractHeapType, BlockType, Catch as CatchClause, HeapType, RefType, ValType};

/// Fields of the module's own structure type.
const NUMBER: u32 = 0;
const LINK: u32 = 1;
/// The field of the holders' types that the structure type has not.
const CONT: u32 = 2;
/// Objects of one chain of links that an inspection reads.
const CHAIN: i32 = 3;

const I31: HeapType = abstract_heap_type(AbstractHeapType::I31);
const ARRAY: HeapType = abstract_heap_type(AbstractHeapType::Array);

const fn abstract_heap_type(ty: AbstractHeapType) -> HeapType {
    HeapType::Abstract { shared: false, ty }
}

const fn never_null(heap_type: HeapType) -> RefType {
    RefType {
        nullable: false,
        heap_type,
    }
}

impl Cx<'_> {
    /// Whether references of this type refer to objects.
    pub(super) fn is_object(&self, ty: ValType) -> bool {
        self.plan.features.gc && (ty == ANYREF || ty == nullable(self.types.structure()))
    }

    /// Whether continuations are kept in objects that flow as values.
    fn holders_flow(&self) -> bool {
        let features = self.plan.features;
        features.continuations_in_objects && features.subtyping
    }

    /// Pushes an object of this type, a new one more often than not.
    pub(super) fn object(&mut self, body: &mut Body, ty: ValType, wide: bool) {
        let structure = self.types.structure();
        let make = self.helper(Helper::Structure);
        if wide {
            body.emit().call(make);
            return;
        }
        let family = body.pick(self.plan.families.len() as u32) as u8;
        match body.pick(8) {
            0 => self.defaults(body, &[ty]),
            1 if ty == ANYREF => {
                self.push(body, &[ValType::I32]);
                body.emit().ref_i31();
            }
            2 if ty == ANYREF => {
                let array = self.types.array(ANYREF);
                self.link(body);
                body.emit().call(make).array_new_fixed(array, 2);
            }
            3 if ty == ANYREF => {
                let array = self.types.array(ANYREF);
                body.emit().call(make).global_get(FUEL);
                body.emit().i32_const(3).i32_and().array_new(array);
            }
            4 if self.holders_flow() => {
                let holder = self.types.holder(family);
                let grab = self.helper(Helper::Grab(family));
                self.push(body, &[ValType::I32]);
                self.link(body);
                body.emit().call(grab).struct_new(holder);
            }
            5 if ty == ANYREF && self.plan.features.continuations_in_objects => {
                let keeper = self.keeper(family);
                body.emit().global_get(keeper);
            }
            6 => {
                body.emit().call(make);
            }
            _ => {
                self.push(body, &[ValType::I32]);
                self.link(body);
                body.emit().struct_new(structure);
            }
        }
    }

    /// Pushes what a new object links to.
    fn link(&mut self, body: &mut Body) {
        match body.existing_scratch(ANYREF) {
            Some(local) if body.pick(2) == 0 => self.take_local(body, local, ANYREF),
            _ => self.defaults(body, &[ANYREF]),
        }
    }

    /// Emits something while an object lies on the operand stack, if the body's choices say so, and inspects the object then.
    pub(super) fn holding(&mut self, body: &mut Body, inner: impl FnOnce(&mut Self, &mut Body)) {
        let held = self.plan.features.gc && body.pick(3) == 0;
        if held {
            self.object(body, ANYREF, false);
        }
        inner(self, body);
        if held {
            let inspect = self.helper(Helper::Inspect);
            body.emit().call(inspect);
        }
    }

    /// Reads what a local refers to: here, where the type allows it and the body's choices say so, or by the helper.
    pub(super) fn inspect(&mut self, body: &mut Body, local: u32, ty: ValType) {
        if ty == ValType::EXTERNREF {
            let inspect = self.helper(Helper::Inspect);
            body.emit()
                .local_get(local)
                .any_convert_extern()
                .call(inspect);
        } else if ty != ANYREF && body.pick(2) == 0 {
            let structure = self.types.structure();
            let to = body.scratch(ValType::I32);
            body.emit().block(BlockType::Empty).local_get(local);
            body.emit().br_on_null(0).struct_get(structure, NUMBER);
            body.emit().local_get(to).i32_sub().local_set(to).end();
        } else {
            let inspect = self.helper(Helper::Inspect);
            body.emit().local_get(local).call(inspect);
        }
    }

    /// Inspects what the parameters of a task refer to.
    pub(super) fn inspect_params(&mut self, body: &mut Body, index: usize) {
        let params = self.tasks[index].params.clone();
        let objects = (0u32..).zip(params).filter(|&(_, ty)| self.is_object(ty));
        let objects: Vec<_> = objects.take(2).collect();
        for (local, ty) in objects {
            self.inspect(body, local, ty);
        }
    }

    /// The body of [`Helper::Structure`]: a new structure with a number that varies.
    pub(super) fn emit_structure(&mut self) -> (u32, Body) {
        let structure = self.types.structure();
        let mut body = Body::new(Vec::new(), 0);
        body.emit()
            .global_get(FUEL)
            .i32_const(i32::from_be_bytes(*b"obj\0"));
        body.emit().i32_or().ref_null(HeapType::ANY);
        body.emit().struct_new(structure);
        (self.types.func(&[], &[nullable(structure)]), body)
    }

    /// The body of [`Helper::Inspect`]: follows links for a while. Continuations go to their families' stacks.
    pub(super) fn emit_inspect(&mut self) -> (u32, Body) {
        let structure = self.types.structure();
        let mut body = Body::new(vec![ANYREF], 0);
        let (object, count) = (0, body.local(ValType::I32));
        let array = body.local(ValType::Ref(RefType::ARRAYREF));
        let cell = body.local(nullable(structure));
        let elements = self.types.array(ANYREF);
        let cast = |to| (RefType::ANYREF, never_null(to));

        body.emit()
            .loop_(BlockType::Empty)
            .block(BlockType::Result(ValType::I32));
        for target in [I31, ARRAY, HeapType::Concrete(structure)] {
            let result = ValType::Ref(never_null(target));
            body.emit().block(BlockType::Result(result));
        }
        body.emit()
            .local_get(object)
            .ref_null(HeapType::ANY)
            .local_set(object);
        for (label, target) in (0..).zip([HeapType::Concrete(structure), ARRAY, I31]) {
            let (from, to) = cast(target);
            body.emit().br_on_cast(label, from, to);
        }
        body.emit().ref_is_null().br(3).end();

        body.emit()
            .local_tee(cell)
            .struct_get(structure, LINK)
            .local_set(object);
        if self.holders_flow() {
            for family in 0..self.plan.families.len() as u8 {
                self.give_up(&mut body, family, cell);
            }
        }
        // Read, changed and read again: another stack may have kept what it read before.
        body.emit()
            .local_get(cell)
            .local_get(cell)
            .struct_get(structure, NUMBER);
        body.emit()
            .i32_const(1)
            .i32_add()
            .struct_set(structure, NUMBER);
        body.emit()
            .local_get(cell)
            .struct_get(structure, NUMBER)
            .br(2)
            .end();

        let elements_type = HeapType::Concrete(elements);
        body.emit()
            .local_tee(array)
            .array_len()
            .if_(BlockType::Empty);
        body.emit()
            .local_get(array)
            .ref_test_non_null(elements_type)
            .if_(BlockType::Empty);
        body.emit()
            .local_get(array)
            .ref_cast_non_null(elements_type);
        body.emit()
            .local_get(array)
            .array_len()
            .i32_const(1)
            .i32_sub();
        body.emit()
            .array_get(elements)
            .local_set(object)
            .end()
            .end();
        body.emit().local_get(array).array_len().br(1).end();
        body.emit().i31_get_s().end();

        body.emit()
            .global_get(SINKS.0)
            .i32_const(1)
            .i32_rotl()
            .i32_xor()
            .global_set(SINKS.0);
        body.emit()
            .local_get(count)
            .i32_const(1)
            .i32_add()
            .local_tee(count);
        body.emit()
            .i32_const(CHAIN)
            .i32_lt_u()
            .local_get(object)
            .ref_is_null();
        body.emit().i32_eqz().i32_and().br_if(0).end();
        (self.types.func(&[ANYREF], &[]), body)
    }

    /// Puts the continuation that `cell` may hold on the family's stack.
    fn give_up(&mut self, body: &mut Body, family: u8, cell: u32) {
        let holder = self.types.holder(family);
        let heap = HeapType::Concrete(holder);
        let put = self.helper(Helper::Put(family));
        let cont = self.family(family).main.cont;
        let taken = body.local(nullable(cont));
        body.emit().block(BlockType::Empty);
        body.emit().local_get(cell).ref_test_non_null(heap);
        body.emit().i32_eqz().br_if(0);
        body.emit().local_get(cell).ref_cast_non_null(heap);
        body.emit().struct_get(holder, CONT).local_tee(taken);
        body.emit().ref_is_null().br_if(0);
        body.emit().local_get(cell).ref_cast_non_null(heap);
        body.emit().ref_null(HeapType::Concrete(cont));
        body.emit().struct_set(holder, CONT);
        body.emit().local_get(taken).call(put).end();
    }

    /// The body of [`Helper::Keep`].
    pub(super) fn emit_keep(&mut self, family: u8, object: Object) -> (u32, Body) {
        let cont = self.family(family).main.cont;
        let mut body = Body::new(vec![nullable(cont)], family);
        body.hide_params();
        match object {
            Object::Exception => self.keep_in_exception(&mut body, family),
            Object::Struct | Object::Array => {
                let ty = self.object_type(family, object);
                let keeper = self.keeper(family);
                // Now and then a new one though there is one: then the old one is forgotten, with what it holds.
                body.emit().block(BlockType::Empty);
                self.condition(&mut body, 3);
                body.emit().br(1).end();
                self.kept_object(&mut body, family, ty);
                if object == Object::Struct {
                    body.emit().local_get(0).struct_set(ty, CONT);
                } else {
                    body.emit().global_get(FUEL).i32_const(1).i32_and();
                    body.emit().local_get(0).array_set(ty);
                }
                body.emit().return_().end();
                if object == Object::Struct {
                    body.emit().global_get(FUEL).global_get(keeper);
                    body.emit().local_get(0).struct_new(ty);
                } else {
                    body.emit().local_get(0).ref_null(HeapType::Concrete(cont));
                    body.emit().array_new_fixed(ty, 2);
                }
                body.emit().global_set(keeper);
            }
        }
        (self.types.func(&[nullable(cont)], &[]), body)
    }

    /// The body of [`Helper::Take`].
    pub(super) fn emit_take(&mut self, family: u8, object: Object) -> (u32, Body) {
        let cont = self.family(family).main.cont;
        let null = HeapType::Concrete(cont);
        let mut body = Body::new(Vec::new(), 0);
        match object {
            Object::Exception => self.take_from_exception(&mut body, family),
            Object::Struct | Object::Array => {
                let ty = self.object_type(family, object);
                let local = body.local(nullable(ty));
                let taken = body.local(nullable(cont));
                body.emit().block(BlockType::Empty);
                self.kept_object(&mut body, family, ty);
                body.emit().local_set(local);
                // What holds nothing is not written to: so a field that is emptied has held something.
                if object == Object::Struct {
                    body.emit().local_get(local).struct_get(ty, CONT);
                    body.emit().local_tee(taken).ref_is_null().br_if(0);
                    body.emit().local_get(local).ref_null(null);
                    body.emit().struct_set(ty, CONT);
                } else {
                    // The second element where the first is null.
                    let index = body.local(ValType::I32);
                    body.emit().local_get(local).i32_const(0).array_get(ty);
                    body.emit().ref_is_null().local_set(index);
                    body.emit().local_get(local).local_get(index).array_get(ty);
                    body.emit().local_tee(taken).ref_is_null().br_if(0);
                    body.emit().local_get(local).local_get(index);
                    body.emit().ref_null(null).array_set(ty);
                }
                body.emit().local_get(taken).return_().end().ref_null(null);
            }
        }
        (self.types.func(&[], &[nullable(cont)]), body)
    }

    fn object_type(&mut self, family: u8, object: Object) -> u32 {
        match object {
            Object::Array => {
                let cont = nullable(self.family(family).main.cont);
                self.types.array(cont)
            }
            Object::Struct | Object::Exception => self.types.holder(family),
        }
    }

    /// Pushes the family's keeper if it is an object of this type. Otherwise branches out of the block around.
    fn kept_object(&mut self, body: &mut Body, family: u8, ty: u32) {
        let to = never_null(HeapType::Concrete(ty));
        let keeper = self.keeper(family);
        body.emit().block(BlockType::Result(ValType::Ref(to)));
        body.emit()
            .global_get(keeper)
            .br_on_cast(0, RefType::ANYREF, to);
        body.emit().drop().br(1).end();
    }

    fn keep_in_exception(&mut self, body: &mut Body, family: u8) {
        let (tag, position) = self.carrier(family);
        let params = self.tags[usize::from(tag)].0.clone();
        body.emit().block(BlockType::Result(ValType::EXNREF));
        body.emit()
            .try_table(BlockType::Empty, [CatchClause::AllRef { label: 0 }]);
        self.push(body, &params[..position]);
        body.emit().local_get(0);
        self.push(body, &params[position + 1..]);
        let tag = self.tag(tag);
        body.emit()
            .throw(tag)
            .end()
            .unreachable()
            .end()
            .global_set(EXCEPTION);
    }

    fn take_from_exception(&mut self, body: &mut Body, family: u8) {
        let (tag, position) = self.carrier(family);
        let params = self.tags[usize::from(tag)].0.clone();
        let locals: Vec<u32> = params.iter().map(|&ty| body.local(ty)).collect();
        let null = HeapType::Concrete(self.family(family).main.cont);
        let (block, tag) = (self.block(&[], &params), self.tag(tag));
        let catches = [
            CatchClause::One { tag, label: 1 },
            CatchClause::All { label: 0 },
        ];
        body.emit().block(block).block(BlockType::Empty);
        body.emit().try_table(BlockType::Empty, catches);
        body.emit()
            .global_get(EXCEPTION)
            .br_on_null(1)
            .throw_ref()
            .end();
        body.emit().end().ref_null(null).return_().end();
        for &local in locals.iter().rev() {
            body.emit().local_set(local);
        }
        body.emit()
            .ref_null(RefType::EXNREF.heap_type)
            .global_set(EXCEPTION);
        body.emit().local_get(locals[position]);
    }

    /// The tag whose exceptions hold continuations of the family, and which of its parameters does.
    fn carrier(&self, family: u8) -> (u8, usize) {
        let tag = self.plan.carrier(family);
        let tag = tag.expect("a plan that has been fixed up keeps nothing in exceptions otherwise");
        let params = &self.plan.tags[usize::from(tag)].params;
        let position = params
            .iter()
            .position(|ty| *ty == ValueType::ContRef(family));
        (tag, position.expect("the carrier has such a parameter"))
    }
}

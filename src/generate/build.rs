//! Builds the module that a plan describes: all sections, from all emitters, the same for the same plan and blobs.

use super::Features;
use super::body::Body;
use super::cx::{Cx, FUEL, LEAF_TABLES, STACK_ROOM};
use super::leaf::{EXTERNALS, FUNCTIONS, globals, memories};
use super::plan::{Call, End, Plan, Script, TaskBody};
use super::types::ANYREF;
use std::borrow::Cow;
use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, Elements, EntityType,
    ExportKind, ExportSection, FunctionSection, GlobalSection, GlobalType, HeapType, ImportSection,
    MemorySection, Module, RefType, StartSection, TableSection, TableType, TagKind, TagSection,
    TagType, ValType,
};

/// The passive data segment, which leaves copy from.
pub(super) const PASSIVE_DATA: u32 = 1;

/// Name of the module from which everything is imported.
const HOST: &str = "switchback";

/// A built module, without the custom sections that keep its plan.
pub(super) struct Built {
    pub(super) module: Module,
    pub(super) leaves: Vec<LeafOffsets>,
}

/// Where a leaf's own instructions are.
#[derive(Clone, Debug)]
pub(super) struct LeafOffsets {
    /// Index of the function.
    pub(super) function: u32,
    /// Its position among the defined functions.
    pub(super) defined: usize,
    /// Offsets from the start of the function's entry (its declaration of locals).
    pub(super) instructions: Vec<usize>,
}

/// Builds a plan that has been fixed up. The n-th woven task takes its leaf from the n-th blob; a missing one is empty.
pub(super) fn build(plan: &Plan, blobs: &[impl AsRef<[u8]>]) -> Built {
    let mut cx = Cx::new(plan);
    let mut functions = FunctionSection::new();
    let mut code = CodeSection::new();
    let mut leaves = Vec::new();
    let mut add = |ty: u32, body: Body| {
        let (function, header) = body.finish();
        functions.function(ty);
        code.function(&function);
        header
    };
    let mut woven = 0;
    let mut defined = 0;
    for (index, task) in plan.tasks.iter().enumerate() {
        let ty = cx.tasks[index].pair.func;
        match &task.body {
            TaskBody::Host | TaskBody::Reentry => continue,
            TaskBody::Woven(leaf) => {
                let blob = blobs.get(woven).map_or(&[][..], |blob| blob.as_ref());
                woven += 1;
                let result = cx.weave(index, leaf, blob);
                let header = add(ty, result.body);
                let instructions = result
                    .instructions
                    .iter()
                    .map(|offset| offset + header)
                    .collect();
                leaves.push(LeafOffsets {
                    function: cx.indices.tasks[index],
                    defined,
                    instructions,
                });
            }
            TaskBody::Script(script, end) => {
                let body = cx.scripted_task(index, script, *end);
                add(ty, body);
            }
        }
        defined += 1;
    }
    for driver in &plan.drivers {
        let (ty, body) = cx.emit_driver(driver);
        add(ty, body);
    }
    let nullary = cx.types.func(&[], &[]);
    for callback in &plan.callbacks {
        let mut body = Body::new(Vec::new(), callback.salt);
        cx.tick(&mut body, &[]);
        cx.actions(&mut body, &callback.actions);
        add(nullary, body);
    }
    for call in &plan.calls {
        let (ty, body) = cx.call(call);
        add(ty, body);
    }
    let mut helper = 0;
    while helper < cx.helpers.len() {
        let (ty, body) = cx.emit_helper(cx.helpers[helper]);
        add(ty, body);
        helper += 1;
    }

    let imports = cx.imports();
    let tags = cx.tags_section();
    let mut module = Module::new();
    module.section(&cx.types.section());
    if !imports.is_empty() {
        module.section(&imports);
    }
    module
        .section(&functions)
        .section(&cx.tables())
        .section(&memory_section(&plan.features));
    if !tags.is_empty() {
        module.section(&tags);
    }
    module.section(&cx.globals()).section(&cx.exports());
    if let Some(start) = plan.start {
        module.section(&StartSection {
            function_index: cx.indices.callbacks[usize::from(start)],
        });
    }
    module
        .section(&cx.elements())
        .section(&DataCountSection { count: 2 })
        .section(&code)
        .section(&data());
    Built { module, leaves }
}

impl Cx<'_> {
    fn scripted_task(&mut self, index: usize, script: &Script, end: End) -> Body {
        let mut body = Body::new(self.tasks[index].params.clone(), script.salt);
        self.prologue(&mut body, index);
        self.actions(&mut body, &script.actions);
        self.inspect_params(&mut body, index);
        match end {
            End::Return => {
                let results = self.family(self.plan.tasks[index].family).results.clone();
                self.push(&mut body, &results);
            }
            End::Tail(callee, linkage) => self.call_task(&mut body, callee, linkage, true),
            End::Throw(tag) => {
                let params = self.tags[usize::from(tag)].0.clone();
                self.push(&mut body, &params);
                let tag = self.tag(tag);
                body.emit().throw(tag);
            }
        }
        body
    }

    fn call(&mut self, call: &Call) -> (u32, Body) {
        let results = self.types.values(&call.results);
        let mut body = Body::new(Vec::new(), call.script.salt);
        // Full for each action: what one of them uses up must not keep the next from running.
        let mut rest = &call.script.actions[..];
        while let Some(first) = rest.first() {
            let (action, following) = rest.split_at(1 + first.counted());
            body.emit()
                .i32_const(i32::from(self.plan.fuel))
                .global_set(FUEL);
            self.actions(&mut body, action);
            rest = following;
        }
        self.push(&mut body, &results);
        (self.types.func(&[], &results), body)
    }

    fn imports(&mut self) -> ImportSection {
        let mut imports = ImportSection::new();
        for (index, log) in self.plan.logs.iter().enumerate() {
            let ty = self.types.signature(&log.params, &log.results);
            imports.import(HOST, &format!("log{index}"), EntityType::Function(ty));
        }
        for (index, task) in self.plan.tasks.iter().enumerate() {
            if task.body == TaskBody::Host {
                let ty = self.tasks[index].pair.func;
                imports.import(HOST, &format!("task{index}"), EntityType::Function(ty));
            }
        }
        if !self.plan.callbacks.is_empty() {
            let ty = self.types.func(&[ValType::FUNCREF], &[]);
            imports.import(HOST, "call", EntityType::Function(ty));
        }
        for (index, tag) in self
            .plan
            .tags
            .iter()
            .enumerate()
            .filter(|(_, tag)| tag.imported)
        {
            let func_type_idx = self.types.signature(&tag.params, &tag.results);
            let tag = TagType {
                kind: TagKind::Exception,
                func_type_idx,
            };
            imports.import(HOST, &format!("tag{index}"), EntityType::Tag(tag));
        }
        imports
    }

    fn tags_section(&mut self) -> TagSection {
        let mut section = TagSection::new();
        for tag in self.plan.tags.iter().filter(|tag| !tag.imported) {
            let func_type_idx = self.types.signature(&tag.params, &tag.results);
            section.tag(TagType {
                kind: TagKind::Exception,
                func_type_idx,
            });
        }
        section
    }

    fn tables(&self) -> TableSection {
        let mut section = TableSection::new();
        let table = |element_type, (minimum, maximum): (u64, u64)| TableType {
            element_type,
            table64: false,
            minimum,
            maximum: Some(maximum),
            shared: false,
        };
        section
            .table(table(RefType::FUNCREF, FUNCTIONS))
            .table(table(RefType::EXTERNREF, EXTERNALS));
        for family in &self.types.families {
            let element = RefType {
                nullable: true,
                heap_type: HeapType::Concrete(family.main.cont),
            };
            section.table(table(
                element,
                (u64::from(STACK_ROOM), u64::from(STACK_ROOM)),
            ));
        }
        if self.task_table_used {
            let size = self.plan.tasks.len() as u64 + 1;
            section.table(table(RefType::FUNCREF, (size, size)));
        }
        section
    }

    fn globals(&self) -> GlobalSection {
        let mut section = GlobalSection::new();
        let mut add = |val_type, init: ConstExpr| {
            section.global(
                GlobalType {
                    val_type,
                    mutable: true,
                    shared: false,
                },
                &init,
            );
        };
        let zero = |ty| match ty {
            ValType::I32 => ConstExpr::i32_const(0),
            ValType::I64 => ConstExpr::i64_const(0),
            ValType::F32 => ConstExpr::f32_const(0.0.into()),
            ValType::F64 => ConstExpr::f64_const(0.0.into()),
            ValType::V128 => ConstExpr::v128_const(0),
            ValType::Ref(reference) => ConstExpr::ref_null(reference.heap_type),
        };
        // The start function finds it full, as calls do.
        add(
            ValType::I32,
            ConstExpr::i32_const(i32::from(self.plan.fuel)),
        );
        add(ValType::EXNREF, zero(ValType::EXNREF));
        for ty in globals(&self.plan.features) {
            let init = match ty {
                ValType::I32 => ConstExpr::i32_const(0x0102_0304),
                ValType::FUNCREF => ConstExpr::ref_func(self.indices.tasks[0]),
                other => zero(other),
            };
            add(ty, init);
        }
        add(ValType::I32, zero(ValType::I32));
        add(ValType::I64, zero(ValType::I64));
        for family in &self.types.families {
            let kept = super::types::nullable(family.main.cont);
            add(ValType::I32, zero(ValType::I32));
            add(kept, zero(kept));
        }
        if self.plan.features.gc && self.plan.features.continuations_in_objects {
            for _ in &self.types.families {
                add(ANYREF, zero(ANYREF));
            }
        }
        if self.plan.fuel.is_multiple_of(4) {
            // No code reads these: that the one has the other's value shows in the state. They are last, so they move nothing.
            let first = section.len();
            let ty = GlobalType {
                val_type: ValType::I32,
                mutable: false,
                shared: false,
            };
            section.global(ty, &ConstExpr::i32_const(0x0506_0708));
            section.global(ty, &ConstExpr::global_get(first));
        }
        section
    }

    fn exports(&self) -> ExportSection {
        let mut section = ExportSection::new();
        for (index, &function) in self.indices.calls.iter().enumerate() {
            section.export(&format!("call{index}"), ExportKind::Func, function);
        }
        section
    }

    fn elements(&self) -> ElementSection {
        let mut section = ElementSection::new();
        let tasks = &self.indices.tasks;
        let start = &tasks[..tasks.len().min(FUNCTIONS.0 as usize)];
        section.active(
            None,
            &ConstExpr::i32_const(0),
            Elements::Functions(Cow::Borrowed(start)),
        );
        if self.task_table_used {
            let table = LEAF_TABLES + self.plan.families.len() as u32;
            section.active(
                Some(table),
                &ConstExpr::i32_const(0),
                Elements::Functions(Cow::Borrowed(tasks)),
            );
        }
        let declared: Vec<u32> = tasks
            .iter()
            .chain(&self.indices.callbacks)
            .copied()
            .collect();
        section.declared(Elements::Functions(Cow::Owned(declared)));
        section
    }
}

fn memory_section(features: &Features) -> MemorySection {
    let mut section = MemorySection::new();
    for memory in memories(features) {
        section.memory(memory);
    }
    section
}

fn data() -> DataSection {
    let mut section = DataSection::new();
    section.active(
        0,
        &ConstExpr::i32_const(0),
        [1, 0, 255, 127, 128, 64, 63, 192],
    );
    section.passive([85, 170, 0, 255, 1, 2, 3, 4]);
    section
}

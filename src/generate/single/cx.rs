//! The module under construction: its types, functions, globals and tags as they are asked for, and the memories that all calls share.

use super::super::Features;
use super::super::body::Body;
use super::super::types::{ANYREF, subtype};
use super::Call;
use super::operand::Route;
use super::special::{PASSIVE_BYTES, SEGMENT_FUNCTIONS};
use wasm_encoder::{
    ArrayType, CodeSection, CompositeInnerType, ConstExpr, ContType, DataCountSection, DataSection,
    ElementSection, Elements, ExportKind, ExportSection, FieldType, FuncType, Function,
    FunctionSection, GlobalSection, GlobalType, HeapType, MemorySection, MemoryType, Module,
    RefType, StorageType, SubType, TableSection, TableType, TagKind, TagSection, TagType,
    TypeSection, ValType,
};

/// Bytes of a memory at the beginning: one page.
pub(super) const MEMORY: u64 = 1 << 16;
/// Most pages of a memory.
const PAGES: u64 = 3;
/// Where operands that come from the first memory lie.
const OPERANDS: usize = 1024;

/// Functions that calls through references are tried with: three whose types are subtypes one of the other, the first the root and
/// the last final, and one of another type.
pub(super) const TARGETS: usize = 4;

/// What the tables of functions hold at the beginning; the last is null.
const IN_TABLE: [usize; 8] = [0, 1, 2, 3, 2, 0, 1, TARGETS];

/// A table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    pub(super) index: u32,
    /// The type of its indices.
    pub(super) address: ValType,
    pub(super) element: ValType,
    /// Elements at the beginning.
    pub(super) size: u32,
}

pub(super) struct Cx<'f> {
    pub(super) features: &'f Features,
    types: Vec<SubType>,
    functions: Vec<(u32, Function)>,
    exports: Vec<u32>,
    globals: Vec<(GlobalType, ConstExpr)>,
    tags: Vec<u32>,
    one: Option<u32>,
    operands: Vec<u8>,
    targets: [Option<u32>; TARGETS],
    has_tables: bool,
    has_segment: bool,
}

impl<'f> Cx<'f> {
    pub(super) fn new(features: &'f Features) -> Cx<'f> {
        Cx {
            features,
            types: Vec::new(),
            functions: Vec::new(),
            exports: Vec::new(),
            globals: Vec::new(),
            tags: Vec::new(),
            one: None,
            operands: Vec::new(),
            targets: [None; TARGETS],
            has_tables: false,
            has_segment: false,
        }
    }

    /// Adds the function of a call.
    pub(super) fn call(&mut self, call: &Call) {
        let form = self.form(call);
        let results = form.results.clone();
        let route = |index: usize| {
            call.operands
                .get(index)
                .map_or(Route::Constant, |o| o.route)
        };
        let routes = (0..form.operands.len()).map(route).collect();
        let body = self.placed(form, routes, call.crossing);
        let function = self.function(&[], &results, body);
        self.exports.push(function);
    }

    /// The index of a type; the same types have the same.
    pub(super) fn ty(&mut self, ty: SubType) -> u32 {
        // What refers to nothing by identity is the same wherever it stands.
        let encoded = |ty: &SubType| {
            let mut section = TypeSection::new();
            section.ty().subtype(ty);
            let mut bytes = Vec::new();
            wasm_encoder::Encode::encode(&section, &mut bytes);
            bytes
        };
        let wanted = encoded(&ty);
        let found = self.types.iter().position(|other| encoded(other) == wanted);
        let index = found.unwrap_or_else(|| {
            self.types.push(ty);
            self.types.len() - 1
        });
        index as u32
    }

    pub(super) fn func(&mut self, params: &[ValType], results: &[ValType]) -> u32 {
        let (params, results) = (params.iter().copied(), results.iter().copied());
        let inner = CompositeInnerType::Func(FuncType::new(params, results));
        self.ty(subtype(inner, true, None))
    }

    /// The type of continuations of functions of this type.
    pub(super) fn cont(&mut self, params: &[ValType], results: &[ValType]) -> u32 {
        let func = self.func(params, results);
        self.cont_of(func)
    }

    /// The type of continuations of functions of a type.
    pub(super) fn cont_of(&mut self, func: u32) -> u32 {
        let inner = CompositeInnerType::Cont(ContType(func));
        self.ty(subtype(inner, true, None))
    }

    /// A tag of this type; the same one for the same type.
    pub(super) fn tag(&mut self, params: &[ValType], results: &[ValType]) -> u32 {
        let ty = self.func(params, results);
        let found = self.tags.iter().position(|other| *other == ty);
        let index = found.unwrap_or_else(|| {
            self.tags.push(ty);
            self.tags.len() - 1
        });
        index as u32
    }

    /// A tag without parameters and results that nothing else has.
    pub(super) fn another_tag(&mut self) -> u32 {
        self.tag_like(&[], &[])
    }

    /// A tag of this type that nothing else has.
    pub(super) fn tag_like(&mut self, params: &[ValType], results: &[ValType]) -> u32 {
        let ty = self.func(params, results);
        self.tags.push(ty);
        self.tags.len() as u32 - 1
    }

    /// The type of one of the targets, with its parameters and results.
    pub(super) fn target_type(
        &mut self,
        which: usize,
    ) -> (u32, &'static [ValType], &'static [ValType]) {
        let types: &'static [ValType] = match which {
            3 => &[ValType::I64],
            _ => &[ValType::I32],
        };
        let above = match which {
            1 | 2 if self.features.subtyping => Some(self.target_type(which - 1).0),
            _ => None,
        };
        let of = || types.iter().copied();
        let inner = CompositeInnerType::Func(FuncType::new(of(), of()));
        let is_final = which >= 2 || !self.features.subtyping;
        (self.ty(subtype(inner, is_final, above)), types, types)
    }

    /// Whether the type of a target is that of another, or a subtype.
    pub(super) fn is_target_subtype(&self, which: usize, of: usize) -> bool {
        match (which, of) {
            (3, _) | (_, 3) => which == of,
            _ => which >= of || !self.features.subtyping,
        }
    }

    /// One of the targets: it adds a number of its own to its parameter.
    pub(super) fn target(&mut self, which: usize) -> u32 {
        if let Some(function) = self.targets[which] {
            return function;
        }
        let (ty, params, _) = self.target_type(which);
        let mut body = Body::new(params.to_vec(), 0);
        let number = 1000 * (which as i32 + 1);
        match which {
            3 => body.emit().local_get(0).i64_const(number.into()).i64_add(),
            _ => body.emit().local_get(0).i32_const(number).i32_add(),
        };
        self.functions.push((ty, body.finish().0));
        let function = self.functions.len() as u32 - 1;
        self.targets[which] = Some(function);
        function
    }

    /// All tables.
    pub(super) fn tables(&mut self) -> Vec<Table> {
        self.has_tables = true;
        for which in 0..TARGETS {
            self.target(which);
        }
        self.table_list()
    }

    fn table_list(&self) -> Vec<Table> {
        let mut kinds = vec![
            (ValType::I32, ValType::FUNCREF, IN_TABLE.len() as u32),
            (ValType::I32, ValType::EXTERNREF, 4),
        ];
        if self.features.gc {
            kinds.push((ValType::I32, ANYREF, 4));
        }
        if self.features.memory64 {
            kinds.push((ValType::I64, ValType::FUNCREF, IN_TABLE.len() as u32));
        }
        let tables = kinds.into_iter().enumerate();
        tables
            .map(|(index, (address, element, size))| Table {
                index: index as u32,
                address,
                element,
                size,
            })
            .collect()
    }

    /// The table of functions.
    pub(super) fn functions_table(&mut self) -> u32 {
        self.tables();
        0
    }

    /// The table of functions whose indices are of 64 bits, where there are such tables.
    pub(super) fn wide_table(&mut self) -> u32 {
        self.tables().len() as u32 - 1
    }

    /// The passive segment of functions.
    pub(super) fn functions_segment(&mut self) -> u32 {
        self.has_segment = true;
        for which in 0..TARGETS {
            self.target(which);
        }
        0
    }

    /// The type of arrays of functions.
    pub(super) fn functions_array(&mut self) -> u32 {
        let field = FieldType {
            element_type: StorageType::Val(ValType::FUNCREF),
            mutable: true,
        };
        self.ty(subtype(
            CompositeInnerType::Array(ArrayType(field)),
            true,
            None,
        ))
    }

    /// As [`Cx::function`]; the same ones are there once.
    pub(super) fn shared_function(
        &mut self,
        params: &[ValType],
        results: &[ValType],
        body: Body,
    ) -> u32 {
        let function = self.function(params, results, body);
        let encoded = |(ty, function): &(u32, Function)| {
            let mut bytes = Vec::new();
            wasm_encoder::Encode::encode(function, &mut bytes);
            (*ty, bytes)
        };
        let wanted = encoded(&self.functions[function as usize]);
        let found = self
            .functions
            .iter()
            .position(|other| encoded(other) == wanted);
        match found.map(|found| found as u32) {
            Some(found) if found != function => {
                self.functions.pop();
                found
            }
            _ => function,
        }
    }

    pub(super) fn function(&mut self, params: &[ValType], results: &[ValType], body: Body) -> u32 {
        let ty = self.func(params, results);
        self.functions.push((ty, body.finish().0));
        self.functions.len() as u32 - 1
    }

    /// A new mutable global.
    pub(super) fn global(&mut self, ty: ValType, init: ConstExpr) -> u32 {
        let ty = GlobalType {
            val_type: ty,
            mutable: true,
            shared: false,
        };
        self.globals.push((ty, init));
        self.globals.len() as u32 - 1
    }

    /// A global that is 1, which no compiler knows.
    pub(super) fn one(&mut self) -> u32 {
        if let Some(one) = self.one {
            return one;
        }
        let one = self.global(ValType::I32, ConstExpr::i32_const(1));
        self.one = Some(one);
        one
    }

    /// Puts bytes into the first memory. Returns their address.
    pub(super) fn place(&mut self, bytes: &[u8]) -> usize {
        let address = OPERANDS + self.operands.len();
        self.operands.extend_from_slice(bytes);
        address
    }

    /// The number of memories.
    pub(super) fn memories(&self) -> usize {
        1 + usize::from(self.features.multi_memory)
    }

    /// The type of a memory's addresses.
    pub(super) fn address_type(&self, memory: u32) -> ValType {
        match memory == 1 && self.features.memory64 {
            true => ValType::I64,
            false => ValType::I32,
        }
    }

    pub(super) fn finish(self) -> Module {
        let mut types = TypeSection::new();
        for ty in &self.types {
            types.ty().subtype(ty);
        }
        let mut functions = FunctionSection::new();
        let mut code = CodeSection::new();
        for (ty, function) in &self.functions {
            functions.function(*ty);
            code.function(function);
        }
        let mut memories = MemorySection::new();
        for memory in 0..self.memories() as u32 {
            memories.memory(MemoryType {
                minimum: 1,
                maximum: Some(PAGES),
                memory64: self.address_type(memory) == ValType::I64,
                shared: false,
                page_size_log2: None,
            });
        }
        let mut tags = TagSection::new();
        for &func_type_idx in &self.tags {
            tags.tag(TagType {
                kind: TagKind::Exception,
                func_type_idx,
            });
        }
        let mut globals = GlobalSection::new();
        for (ty, init) in &self.globals {
            globals.global(*ty, init);
        }
        let mut exports = ExportSection::new();
        for (index, &function) in self.exports.iter().enumerate() {
            exports.export(&format!("call{index}"), ExportKind::Func, function);
        }
        let mut tables = TableSection::new();
        for table in self.table_list() {
            let ValType::Ref(element_type) = table.element else {
                unreachable!("tables hold references")
            };
            tables.table(TableType {
                element_type,
                table64: table.address == ValType::I64,
                minimum: table.size.into(),
                maximum: Some(u64::from(table.size) + 4),
                shared: false,
            });
        }
        let data = self.data();
        let mut module = Module::new();
        module.section(&types).section(&functions);
        if self.has_tables {
            module.section(&tables);
        }
        module.section(&memories);
        if !tags.is_empty() {
            module.section(&tags);
        }
        module.section(&globals).section(&exports);
        let elements = self.elements();
        if !elements.is_empty() {
            module.section(&elements);
        }
        module
            .section(&DataCountSection { count: data.len() })
            .section(&code)
            .section(&data);
        module
    }

    fn elements(&self) -> ElementSection {
        let mut elements = ElementSection::new();
        let functions = |of: &[usize]| -> Vec<ConstExpr> {
            let function = |which: &usize| match self.targets.get(*which).copied().flatten() {
                Some(function) => ConstExpr::ref_func(function),
                None => ConstExpr::ref_null(HeapType::FUNC),
            };
            of.iter().map(function).collect()
        };
        if self.has_segment {
            let held = functions(&IN_TABLE[..SEGMENT_FUNCTIONS as usize]);
            elements.passive(Elements::Expressions(RefType::FUNCREF, held.into()));
        }
        if self.has_tables {
            let of_functions = self.table_list().into_iter();
            for table in of_functions.filter(|table| table.element == ValType::FUNCREF) {
                let at = match table.address {
                    ValType::I64 => ConstExpr::i64_const(0),
                    _ => ConstExpr::i32_const(0),
                };
                let held = functions(&IN_TABLE);
                let held = Elements::Expressions(RefType::FUNCREF, held.into());
                elements.active(Some(table.index), &at, held);
            }
        }
        // All that `ref.func` may name, which without the rest of references is nothing.
        let all: Vec<u32> = (0..self.functions.len() as u32).collect();
        elements.declared(Elements::Functions(all.into()));
        elements
    }

    /// What the memories hold at the beginning: bytes of which each is another, at both ends of their pages, and the operands.
    fn data(&self) -> DataSection {
        let mut data = DataSection::new();
        let passive = (0..PASSIVE_BYTES as u8).map(|byte| byte.wrapping_mul(83) ^ 0xc1);
        data.passive(passive.collect::<Vec<u8>>());
        let start: Vec<u8> = (0..64u8).map(|byte| byte.wrapping_mul(37) ^ 0x85).collect();
        let end: Vec<u8> = (0..32u8).map(|byte| byte.wrapping_mul(91) ^ 0x7a).collect();
        for memory in 0..self.memories() as u32 {
            let at = |address: u64| match self.address_type(memory) {
                ValType::I64 => ConstExpr::i64_const(address.cast_signed()),
                _ => ConstExpr::i32_const(address as i32),
            };
            data.active(memory, &at(0), start.clone());
            data.active(memory, &at(MEMORY - end.len() as u64), end.clone());
        }
        if !self.operands.is_empty() {
            let at = ConstExpr::i32_const(OPERANDS as i32);
            data.active(0, &at, self.operands.clone());
        }
        data
    }
}

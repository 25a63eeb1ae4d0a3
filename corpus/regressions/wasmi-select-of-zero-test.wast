;; wasmi 2.0.0 fuses `i32.eqz` (or a comparison with 0, or `ref.is_null`) with the `select` that follows. Where what is tested
;; is a local, it drops the comparison but keeps its result register as the condition, which nobody has written then: the
;; choice depends on what was computed before. (`try_fuse_select` takes `I32Eq_Rsi` as it takes `I32Eq_Rri`.)

(module
  (global $five (mut i32) (i32.const 5))
  (func (export "eqz") (result i32 i32) (local $zero i32)
    (global.get $five)
    (select (i32.const 1) (i32.const 2) (i32.eqz (local.get $zero))))
  (func (export "eq") (result i32 i32) (local $zero i32)
    (global.get $five)
    (select (i32.const 1) (i32.const 2) (i32.eq (local.get $zero) (i32.const 0))))
  (func (export "ref.is_null") (result i32 i32) (local $null funcref)
    (global.get $five)
    (select (i32.const 1) (i32.const 2) (ref.is_null (local.get $null)))))

(assert_return (invoke "eqz") (i32.const 5) (i32.const 1))
(assert_return (invoke "eq") (i32.const 5) (i32.const 1))
(assert_return (invoke "ref.is_null") (i32.const 5) (i32.const 1))

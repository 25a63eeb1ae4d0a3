;; A function of a subtype can be called at the supertype.
(module
  (type $super (sub (func (result i32))))
  (type $sub (sub $super (func (result i32))))
  (table 1 funcref)
  (elem (i32.const 0) $f)
  (func $f (type $sub) (i32.const 5))
  (func (export "run") (result i32)
    (call_indirect (type $super) (i32.const 0))))
(assert_return (invoke "run") (i32.const 5))

;; A structure of a subtype is one of the supertype.
(module
  (type $super (sub (struct)))
  (type $sub (sub $super (struct (field i32))))
  (func $make (result anyref) (struct.new_default $sub))
  (func (export "run") (result i32)
    (ref.test (ref $super) (call $make))))
(assert_return (invoke "run") (i32.const 1))

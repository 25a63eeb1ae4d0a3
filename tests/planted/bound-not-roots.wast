;; configuration: gc-zeal=1
;; What is bound to a continuation that has not started is kept for it.
;; Made on a stack of its own: this one never had it, not even in the frame of a function that has returned.
(module
  (type $f (func)) (type $k (cont $f))
  (type $fi (func (result i32))) (type $ki (cont $fi))
  (func $three (type $fi) (i32.const 3))
  (func $nothing)
  (type $fb (func (param (ref null $ki)) (result i32))) (type $kb (cont $fb))
  (global $bound (mut (ref null $ki)) (ref.null $ki))
  (func $resumes (type $fb) (resume $ki (local.get 0)))
  (elem declare func $three $nothing $resumes $make)
  (func $make
    (global.set $bound
      (cont.bind $kb $ki (cont.new $ki (ref.func $three)) (cont.new $kb (ref.func $resumes)))))
  (func (export "run") (result i32)
    (resume $k (cont.new $k (ref.func $make)))
    (drop (cont.new $k (ref.func $nothing)))
    (resume $ki (global.get $bound))))
(assert_return (invoke "run") (i32.const 3))

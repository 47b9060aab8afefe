(component
  (core module $m
    (memory (export "memory") 1)
    (global $free (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $free (i32.add (global.get $free) (local.get 3)))
      (i32.sub (global.get $free) (local.get 3)))
    (func (export "configure") (param i32 i32) (result i32) (i32.const 0)))
  (core instance $i (instantiate $m))
  (func $configure (param "settings" string) (result (result (error string)))
    (canon lift (core func $i "configure") (memory $i "memory") (realloc (func $i "realloc"))))
  (instance $lifecycle (export "configure" (func $configure)))
  (export "hookbox:plugin/lifecycle@1.0.0" (instance $lifecycle)))

;; Grows a table until it is refused, then gives up.
;; outcome: fails table-elements
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (memory (export "memory") 1)
  (table $functions 1 funcref)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $register-more
    (loop $again
      (br_if $again (i32.ne (table.grow $functions (ref.null func) (i32.const 1000)) (i32.const -1))))
    (unreachable))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (call $register-more)
    (i32.const 0)))

;; Grows two memories in turn, each below the limit.
;; outcome: fails memory
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (memory $first (export "memory") 1)
  (memory $second 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $allocate-more
    (loop $again
      (if (i32.eq (memory.grow $first (i32.const 16)) (i32.const -1)) (then (unreachable)))
      (if (i32.eq (memory.grow $second (i32.const 16)) (i32.const -1)) (then (unreachable)))
      (br $again)))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (call $allocate-more)
    (i32.const 0)))

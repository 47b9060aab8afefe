;; Asks for far more memory than it may have, is refused, and answers all the same.
;; outcome: answers
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (drop (memory.grow (i32.const 65000)))
    (drop (memory.grow (i32.const 65000)))
    (i32.const 0)))

;; Answers with a text whose length reaches past the end of any memory.
;; outcome: fails trap
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (i32.store8 (i32.const 2056) (i32.const 1))
    (i32.store (i32.const 2060) (i32.const 0xfffffff0))
    (i32.store (i32.const 2064) (i32.const 0xffffffff))
    (return (i32.const 2048))
    (i32.const 0)))

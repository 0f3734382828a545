"""What the languages' constructs look like in their syntax trees: tree-sitter queries, three per language.

`structure` runs over a file, `features` and `names` over one definition. The capture names are the vocabulary the units
share; a unit never names a node kind of a language itself.

structure
    function   a named function or method definition (or the declarator, pair or field that names one)
    class      a type with members
    wrapper    a node around one definition that belongs to it (decorators, `const`)
    outer      a node around a definition that does not belong to it (`export`), a doc comment stands before it
    decorator  a decorator that stands beside what it decorates
    testcall   a call that registers test code
    comment    a comment
    import     an import statement

features
    branch     one more way through the code (cyclomatic complexity)
    handles    error handling
    if         a conditional with fields condition and consequence
    assert     an assertion statement
    call       a call
    comment    a comment
    obsolete   grammar accepts it, the language of today does not
    markup     JSX

names
    scope      a node whose names are its own
    ref        an identifier
    skip       an identifier that is no name of a scope (attribute, keyword, struct field)
    bind       an identifier bound in the scope it stands in
    bind.outer an identifier bound in the scope around the one it stands in (a function's name)
    bind.import an identifier bound by an import
    unbind     an identifier declared to belong to a scope further out
"""

from __future__ import annotations

PYTHON_STRUCTURE = """
(function_definition) @function
(class_definition) @class
(decorated_definition) @wrapper
(comment) @comment
[(import_statement) (import_from_statement)] @import
"""

PYTHON_FEATURES = """
[(if_statement) (elif_clause) (for_statement) (while_statement) (except_clause) (conditional_expression)
 (boolean_operator) (for_in_clause) (if_clause)] @branch
(case_clause . (case_pattern (_))) @branch
(try_statement [(except_clause) (finally_clause)]) @handles
(with_item value: (call function: [(identifier) @_name (attribute attribute: (identifier) @_name)])
  (#any-of? @_name "suppress" "ExitStack" "AsyncExitStack")) @handles
[(if_statement) (elif_clause)] @if
(assert_statement) @assert
(call) @call
(comment) @comment
[(print_statement) (exec_statement)] @obsolete
"""

PYTHON_NAMES = """
[(function_definition) (lambda) (class_definition) (list_comprehension) (set_comprehension)
 (dictionary_comprehension) (generator_expression)] @scope
(identifier) @ref
(attribute attribute: (identifier) @skip)
(keyword_argument name: (identifier) @skip)
(keyword_pattern . (identifier) @skip)
(keyword_pattern (dotted_name . (identifier) @bind .))
(case_pattern (dotted_name . (identifier) @bind .))
(import_statement name: (dotted_name (identifier) @skip))
(import_from_statement module_name: (_ (identifier) @skip))
(import_from_statement module_name: (relative_import (dotted_name (identifier) @skip)))
(aliased_import name: (dotted_name (identifier) @skip))
(import_statement name: (dotted_name . (identifier) @bind.import))
(import_from_statement name: (dotted_name (identifier) @bind.import))
(aliased_import alias: (identifier) @bind.import)
(function_definition name: (identifier) @bind.outer)
(class_definition name: (identifier) @bind.outer)
(function_definition type_parameters: (type_parameter (type (identifier) @bind)))
(function_definition type_parameters: (type_parameter (type (constrained_type . (type (identifier) @bind)))))
[(parameters (identifier) @bind) (lambda_parameters (identifier) @bind)]
[(default_parameter name: (identifier) @bind) (typed_default_parameter name: (identifier) @bind)]
(typed_parameter . (identifier) @bind)
[(parameters (list_splat_pattern (identifier) @bind)) (lambda_parameters (list_splat_pattern (identifier) @bind))]
(typed_parameter [(list_splat_pattern (identifier) @bind) (dictionary_splat_pattern (identifier) @bind)])
(dictionary_splat_pattern (identifier) @bind)
[(pattern_list (list_splat_pattern (identifier) @bind)) (tuple_pattern (list_splat_pattern (identifier) @bind))
 (list_pattern (list_splat_pattern (identifier) @bind))]
(splat_pattern (identifier) @bind)
[(assignment left: (identifier) @bind) (augmented_assignment left: (identifier) @bind)]
[(pattern_list (identifier) @bind) (tuple_pattern (identifier) @bind) (list_pattern (identifier) @bind)]
[(for_statement left: (identifier) @bind) (for_in_clause left: (identifier) @bind)]
(named_expression name: (identifier) @bind)
(as_pattern_target (identifier) @bind)
(as_pattern_target [(tuple (identifier) @bind) (list (identifier) @bind)])
(case_pattern (as_pattern (identifier) @bind .))
[(global_statement (identifier) @unbind) (nonlocal_statement (identifier) @unbind)]
"""

_SCRIPT_STRUCTURE = """
[(function_declaration) (generator_function_declaration) (method_definition)] @function
(variable_declarator value: [(arrow_function) (function_expression) (generator_function)]) @function
(assignment_expression left: [(identifier) (member_expression)]
  right: [(arrow_function) (function_expression) (generator_function)]) @function
(pair value: [(arrow_function) (function_expression) (generator_function)]) @function
(export_statement value: [(arrow_function) (function_expression) (generator_function)]) @function
[(class_declaration) (class)] @class
[(lexical_declaration) (variable_declaration)] @wrapper
(export_statement declaration: (_)) @outer
(expression_statement (assignment_expression)) @outer
(comment) @comment
(import_statement) @import
(lexical_declaration (variable_declarator value: (call_expression function: (identifier) @_require))
  (#eq? @_require "require")) @import
(call_expression function: [
    (identifier) @_test
    (member_expression object: (identifier) @_test)
    (call_expression function: (member_expression object: (identifier) @_test))]
  (#any-of? @_test "describe" "it" "test" "suite" "context" "specify" "beforeEach" "afterEach" "beforeAll" "afterAll"
    "before" "after" "fdescribe" "xdescribe" "fit" "xit" "bench")) @testcall
"""

JAVASCRIPT_STRUCTURE = (
    _SCRIPT_STRUCTURE
    + """
(field_definition value: [(arrow_function) (function_expression)]) @function
"""
)

TYPESCRIPT_STRUCTURE = (
    _SCRIPT_STRUCTURE
    + """
(public_field_definition value: [(arrow_function) (function_expression)]) @function
(abstract_class_declaration) @class
(class_body (decorator) @decorator)
"""
)

_SCRIPT_FEATURES = """
[(if_statement) (for_statement) (for_in_statement) (while_statement) (do_statement) (switch_case) (catch_clause)
 (ternary_expression)] @branch
(binary_expression operator: ["&&" "||" "??"]) @branch
(try_statement) @handles
(call_expression function: (member_expression property: (property_identifier) @_name) (#eq? @_name "catch")) @handles
(if_statement) @if
[(call_expression) (new_expression)] @call
(comment) @comment
"""

JAVASCRIPT_FEATURES = (
    _SCRIPT_FEATURES
    + """
[(jsx_element) (jsx_self_closing_element)] @markup
"""
)

TYPESCRIPT_FEATURES = _SCRIPT_FEATURES
TSX_FEATURES = JAVASCRIPT_FEATURES

_SCRIPT_NAMES = """
[(function_declaration) (generator_function_declaration) (function_expression) (generator_function) (arrow_function)
 (method_definition)] @scope
[(identifier) (shorthand_property_identifier) (shorthand_property_identifier_pattern)] @ref
[(function_declaration name: (identifier) @bind.outer)
 (generator_function_declaration name: (identifier) @bind.outer)
 (function_expression name: (identifier) @bind)]
(class_declaration name: (_) @bind)
(variable_declarator name: (identifier) @bind)
(arrow_function parameter: (identifier) @bind)
(catch_clause parameter: (identifier) @bind)
(for_in_statement kind: _ left: (identifier) @bind)
(shorthand_property_identifier_pattern) @bind
(array_pattern [(identifier) @bind (assignment_pattern left: (identifier) @bind)])
(rest_pattern (identifier) @bind)
(pair_pattern value: [(identifier) @bind (assignment_pattern left: (identifier) @bind)])
(import_clause (identifier) @bind.import)
(import_specifier name: (identifier) @bind.import !alias)
(import_specifier name: (identifier) @skip)
(import_specifier alias: (identifier) @bind.import)
(namespace_import (identifier) @bind.import)
"""

_JSX_NAMES = """
(jsx_opening_element name: (identifier) @skip (#match? @skip "^[a-z]"))
(jsx_closing_element name: (identifier) @skip (#match? @skip "^[a-z]"))
(jsx_self_closing_element name: (identifier) @skip (#match? @skip "^[a-z]"))
"""

JAVASCRIPT_NAMES = (
    _SCRIPT_NAMES
    + _JSX_NAMES
    + """
(formal_parameters [(identifier) @bind (assignment_pattern left: (identifier) @bind)])
"""
)

TYPESCRIPT_NAMES = (
    _SCRIPT_NAMES
    + """
(type_identifier) @ref
[(required_parameter pattern: (identifier) @bind) (optional_parameter pattern: (identifier) @bind)]
(type_parameter name: (type_identifier) @bind)
(infer_type (type_identifier) @bind)
[(interface_declaration name: (_) @bind) (type_alias_declaration name: (_) @bind) (enum_declaration name: (_) @bind)]
(index_signature name: (identifier) @skip)
(nested_type_identifier name: (type_identifier) @skip)
(mapped_type_clause name: (type_identifier) @bind)
"""
)

TSX_NAMES = TYPESCRIPT_NAMES + _JSX_NAMES

GO_STRUCTURE = """
[(function_declaration) (method_declaration)] @function
(type_declaration (type_spec type: (struct_type))) @class
(comment) @comment
(import_spec) @import
"""

GO_FEATURES = """
[(if_statement) (for_statement) (expression_case) (type_case) (communication_case)] @branch
(binary_expression operator: ["&&" "||"]) @branch
(binary_expression left: (_) @_left operator: ["!=" "=="] right: (nil)
  (#match? @_left "(^|[.])(e|err|[eE]rr[A-Z0-9_]?[A-Za-z0-9_]*|[A-Za-z0-9_]*(Err|Error))([(][)])?$")) @handles
(call_expression function: (identifier) @_name (#eq? @_name "recover")) @handles
(call_expression function: (selector_expression operand: (identifier) @_package field: (field_identifier) @_name)
  (#eq? @_package "errors") (#any-of? @_name "Is" "As")) @handles
(if_statement) @if
(call_expression) @call
(comment) @comment
"""

GO_NAMES = """
[(function_declaration) (method_declaration) (func_literal)] @scope
[(identifier) (type_identifier) (package_identifier)] @ref
(package_clause (package_identifier) @skip)
(qualified_type name: (type_identifier) @skip)
(keyed_element key: (literal_element (identifier) @skip))
(function_declaration name: (identifier) @bind.outer)
(method_declaration receiver: (parameter_list (parameter_declaration
  type: (generic_type type_arguments: (type_arguments (type_elem (type_identifier) @bind))))))
(method_declaration receiver: (parameter_list (parameter_declaration
  type: (pointer_type (generic_type type_arguments: (type_arguments (type_elem (type_identifier) @bind)))))))
[(parameter_declaration name: (identifier) @bind) (variadic_parameter_declaration name: (identifier) @bind)]
(type_parameter_declaration name: (identifier) @bind)
(short_var_declaration left: (expression_list (identifier) @bind))
(range_clause left: (expression_list (identifier) @bind) ":=")
(receive_statement left: (expression_list (identifier) @bind) ":=")
(type_switch_statement alias: (expression_list (identifier) @bind))
[(var_spec name: (identifier) @bind) (const_spec name: (identifier) @bind)]
[(type_spec name: (type_identifier) @bind) (type_alias name: (type_identifier) @bind)]
(import_spec name: (package_identifier) @bind.import)
"""

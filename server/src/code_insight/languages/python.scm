; Decorators stand around a definition, docstrings in it.
(class_definition name: (identifier) @name) @definition.class
(function_definition name: (identifier) @name) @definition.function
(type_alias_statement left: (type (identifier) @name)) @definition.type
(type_alias_statement left: (type (generic_type . (identifier) @name))) @definition.type
(assignment left: (identifier) @name) @definition.variable
(assignment left: (pattern_list (identifier) @name)) @definition.variable
(assignment left: (tuple_pattern (identifier) @name)) @definition.variable

(class_definition name: (identifier) @name superclasses: (argument_list [(identifier) (attribute)] @base))
(class_definition name: (identifier) @name superclasses: (argument_list (subscript value: (_) @base)))

(class_definition name: (identifier) @name body: (block . (expression_statement (string) @doc)))
(function_definition name: (identifier) @name body: (block . (expression_statement (string) @doc)))

(import_statement name: (dotted_name) @import.module)
(import_statement name: (aliased_import name: (dotted_name) @import.module alias: (identifier) @import.alias))
(import_from_statement module_name: (_) @import.module name: (dotted_name) @import.name)
(import_from_statement module_name: (_) @import.module
  name: (aliased_import name: (dotted_name) @import.name alias: (identifier) @import.alias))
(import_from_statement module_name: (_) @import.module (wildcard_import) @import.all)
(future_import_statement "__future__" @import.module name: (dotted_name) @import.name)

;;; occurrences

(identifier) @reference.name

(call function: (identifier) @reference.call)
(call function: (attribute attribute: (identifier) @reference.call))
(decorator (identifier) @reference.call)
(decorator (attribute attribute: (identifier) @reference.call))

(type (identifier) @reference.type)
(type (attribute attribute: (identifier) @reference.type))
(type (subscript value: (identifier) @reference.type))
(type (subscript value: (attribute attribute: (identifier) @reference.type)))
(type (binary_operator (identifier) @reference.type))
(type (binary_operator (attribute attribute: (identifier) @reference.type)))
(type (binary_operator (binary_operator (identifier) @reference.type)))
(generic_type (identifier) @reference.type)
(member_type (identifier) @reference.type)
(union_type (type (identifier) @reference.type))
(except_clause value: (identifier) @reference.type)
(except_clause value: (as_pattern . (identifier) @reference.type))
(except_clause value: (tuple (identifier) @reference.type))

(class_definition superclasses: (argument_list (identifier) @reference.inherit))
(class_definition superclasses: (argument_list (attribute attribute: (identifier) @reference.inherit)))
(class_definition superclasses: (argument_list (subscript value: (identifier) @reference.inherit)))
(class_definition superclasses:
  (argument_list (subscript value: (attribute attribute: (identifier) @reference.inherit))))

(import_statement name: (dotted_name (identifier) @reference.import))
(import_statement name: (aliased_import name: (dotted_name (identifier) @reference.import)))
(import_statement name: (aliased_import alias: (identifier) @reference.import))
(import_from_statement name: (dotted_name (identifier) @reference.import))
(import_from_statement name: (aliased_import name: (dotted_name (identifier) @reference.import)))
(import_from_statement name: (aliased_import alias: (identifier) @reference.import))
(import_from_statement module_name: (dotted_name (identifier) @reference.import))
(future_import_statement name: (dotted_name (identifier) @reference.import))
(relative_import (dotted_name (identifier) @reference.import))

(lambda) @local.scope
(decorated_definition) @wrapper
(comment) @comment

;;; bindings

(attribute object: (_) @of attribute: (identifier) @member)

(assignment left: [(identifier) (attribute)] @target !type right: (_) @value)
(assignment left: [(identifier) (attribute)] @target type: (type) @type)
(augmented_assignment left: (identifier) @target)
(named_expression name: (identifier) @target value: (_) @value)

(parameters (identifier) @target)
(parameters (default_parameter name: (identifier) @target value: [(none) @value (_)]))
(parameters (typed_parameter (identifier) @target type: (type) @type))
(parameters (typed_default_parameter name: (identifier) @target type: (type) @type))
(lambda_parameters (identifier) @target)
(lambda_parameters (default_parameter name: (identifier) @target))

(for_statement left: (identifier) @target right: (_) @items)
(for_in_clause left: (identifier) @target right: (_) @items)
(for_statement left: [(pattern_list) (tuple_pattern)] @left right: (_) @each)
(for_in_clause left: [(pattern_list) (tuple_pattern)] @left right: (_) @each)
(pattern_list [(identifier) (attribute)] @target)
(tuple_pattern [(identifier) (attribute)] @target)
(list_pattern [(identifier) (attribute)] @target)
(list_splat_pattern (identifier) @target)
(dictionary_splat_pattern (identifier) @target)
(case_pattern (dotted_name . (identifier) @target .))
(case_pattern (as_pattern (identifier) @target))
(splat_pattern (identifier) @target)
(with_statement
  (with_clause (with_item value: (as_pattern (_) @entered alias: (as_pattern_target (identifier) @target))))) @with
(as_pattern_target (tuple (identifier) @target))
(except_clause value: (as_pattern alias: (as_pattern_target (identifier) @target)))

(function_definition return_type: (type) @returns)
(return_statement (_) @returned)
(decorated_definition (decorator (_) @decorator) definition: (_ name: (identifier) @name))
(call function: (identifier) @_isinstance
  arguments: (argument_list . [(identifier) (attribute)] @checked . [(identifier) (attribute)] @type)
  (#eq? @_isinstance "isinstance")) @check

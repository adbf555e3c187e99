(namespace_declaration name: (_) @name) @definition.namespace
(file_scoped_namespace_declaration name: (_) @name) @definition.namespace @until.end
(class_declaration name: (identifier) @name) @definition.class
(record_declaration name: (identifier) @name) @definition.class
(struct_declaration name: (identifier) @name) @definition.struct
(interface_declaration name: (identifier) @name) @definition.interface
(enum_declaration name: (identifier) @name) @definition.enum
(enum_member_declaration name: (identifier) @name) @definition.constant
(delegate_declaration name: (identifier) @name) @definition.type
(method_declaration name: (identifier) @name) @definition.method
(local_function_statement name: (identifier) @name) @definition.function
(constructor_declaration name: (identifier) @name) @definition.constructor
(destructor_declaration name: (identifier) @name) @definition.method
(property_declaration name: (identifier) @name accessors: (_) @body) @definition.field
(property_declaration name: (identifier) @name) @definition.field
(event_declaration name: (identifier) @name accessors: (_) @body) @definition.field
(event_field_declaration (variable_declaration (variable_declarator name: (identifier) @name))) @definition.field
((field_declaration (modifier) @_modifier (variable_declaration (variable_declarator name: (identifier) @name)))
  @definition.constant (#eq? @_modifier "const"))
(field_declaration (variable_declaration (variable_declarator name: (identifier) @name))) @definition.field
(record_declaration (parameter_list (parameter name: (identifier) @name) @definition.field))

(class_declaration name: (identifier) @name (base_list [(identifier) (generic_name) (qualified_name)] @base))
(record_declaration name: (identifier) @name (base_list [(identifier) (generic_name) (qualified_name)] @base))
(struct_declaration name: (identifier) @name (base_list [(identifier) (generic_name) (qualified_name)] @base))
(interface_declaration name: (identifier) @name (base_list [(identifier) (generic_name) (qualified_name)] @base))

(using_directive !name [(identifier) (qualified_name) (alias_qualified_name)] @import.module)
(using_directive name: (identifier) @import.alias [(identifier) (qualified_name) (generic_name)] @import.module .)

;;; occurrences

(identifier) @reference.name
(_ type: (identifier) @reference.type)
(_ type: (qualified_name name: (identifier) @reference.type))
(_ returns: (identifier) @reference.type)
(_ returns: (qualified_name name: (identifier) @reference.type))
(generic_name (identifier) @reference.type)
(type_argument_list (identifier) @reference.type)
(nullable_type (identifier) @reference.type)
(attribute name: (identifier) @reference.type)

(invocation_expression function: (identifier) @reference.call)
(invocation_expression function: (generic_name (identifier) @reference.call))
(invocation_expression function: (member_access_expression name: (identifier) @reference.call))
(invocation_expression function: (member_access_expression name: (generic_name (identifier) @reference.call)))
(invocation_expression function: (conditional_access_expression
  (member_binding_expression name: (identifier) @reference.call)))
(object_creation_expression type: (identifier) @reference.call)
(object_creation_expression type: (generic_name (identifier) @reference.call))
(object_creation_expression type: (qualified_name name: (identifier) @reference.call))

(base_list (identifier) @reference.inherit)
(base_list (generic_name (identifier) @reference.inherit))
(base_list (qualified_name name: (identifier) @reference.inherit))
(base_list (qualified_name name: (generic_name (identifier) @reference.inherit)))
(using_directive (identifier) @reference.import)
(using_directive (qualified_name name: (identifier) @reference.import))

(lambda_expression) @local.scope
(anonymous_method_expression) @local.scope
(global_statement) @local.scope
(attribute_list) @attribute
(comment) @comment

;;; bindings

(member_access_expression expression: _ @of name: (identifier) @member)
(member_access_expression expression: _ @of name: (generic_name (identifier) @member))
(conditional_access_expression condition: _ @of (member_binding_expression name: (identifier) @member))
(qualified_name qualifier: (_) @of name: (identifier) @member)
(qualified_name qualifier: (_) @of name: (generic_name (identifier) @member))

(variable_declaration type: (_) @type (variable_declarator name: (identifier) @target))
(variable_declaration type: (implicit_type) (variable_declarator name: (identifier) @target (_) @value .))
(foreach_statement type: (_) @type left: (identifier) @target)
(foreach_statement type: (implicit_type) left: (identifier) @target right: (_) @items)
(parameter type: (_) @type name: (identifier) @target)
(parameter !type name: (identifier) @target)
(parameter_list type: (_) @type name: (identifier) @target)
(implicit_parameter) @target
(property_declaration type: (_) @type name: (identifier) @target)
(event_declaration type: (_) @type name: (identifier) @target)
(catch_declaration type: (_) @type name: (identifier) @target)
(declaration_pattern type: (_) @type name: (identifier) @target)
(declaration_expression type: (_) @type name: (identifier) @target)
(method_declaration returns: (_) @returns)
(local_function_statement type: (_) @returns)

(block) @block
(for_statement) @block
(foreach_statement) @block
(using_statement) @block
(catch_clause) @block
(lambda_expression) @block
(anonymous_method_expression) @block
(switch_section) @block

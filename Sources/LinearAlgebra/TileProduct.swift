// TileProduct - bf16 products of one shape on the tiles of AMX, the second operand packed by the caller.

internal import COneDNN
package import Tensors

/// A product `target = a b` of dense matrices, `b` in the order in which tiles read it: oneDNN's matmul primitive.
///
/// ``multiply(_:_:_:_:into:adding:)`` of bf16 operands goes through oneDNN's gemm, whose kernel for tiles waits for the
/// stores of each 32 x 32 block of the result before it begins the next one. The primitive's does not, which is what short
/// reductions gain; but it takes no windows of larger matrices.
///
/// The library cuts long reductions according to the processor's second cache, which ``ProductLibrary/identity`` therefore
/// names. An instance belongs to one thread.
@safe package final class TileProduct {
    /// A packed block is 32 rows of `b` and 64 of its columns: `k` and `n` must be multiples of them.
    package static let packedRows = 32
    package static let packedColumns = 64

    /// Whether this processor has tiles, and oneDNN uses them; its environment variable `ONEDNN_MAX_CPU_ISA` counts.
    package static let isAvailable: Bool = {
        let needed = dnnl_cpu_isa_avx512_core_amx.rawValue
        return dnnl_get_effective_cpu_isa().rawValue & needed == needed
    }()

    package let m: Int
    package let n: Int
    package let k: Int

    private let primitive: OpaquePointer
    private let stream: OpaquePointer
    private let arguments: [dnnl_exec_arg_t]
    /// What the library needs while it computes, allocated once and not in every product.
    private let scratchpad: FloatSlice

    /// Prepares products of `a` `[m, k]` and `b` `[k, n]`; nil where oneDNN has no kernel on tiles for them.
    ///
    /// The corresponding C functions are `dnnl_matmul_desc_init`, `dnnl_primitive_desc_create` and `dnnl_primitive_create`.
    package init?(m: Int, n: Int, k: Int) {
        guard Self.isAvailable, m > 0, n > 0, k > 0, n % Self.packedColumns == 0, k % Self.packedRows == 0 else {
            return nil
        }
        (self.m, self.n, self.k) = (m, n, k)
        // A primitive computes on as many threads as the calling thread may use now, and is cut accordingly.
        let threads = omp_get_max_threads()
        omp_set_num_threads(1)
        defer { omp_set_num_threads(threads) }
        var a = layout([m, k], dnnl_bf16, dnnl_ab)
        // Not left to the library's choice: the caller packs.
        var b = layout([k, n], dnnl_bf16, dnnl_BA16a64b2a)
        var target = layout([m, n], dnnl_f32, dnnl_ab)
        guard let description = unsafe primitiveDescription(&a, &b, &target) else { return nil }
        defer { require(unsafe dnnl_primitive_desc_destroy(description), "dnnl_primitive_desc_destroy") }

        unsafe primitive = created("dnnl_primitive_create") { unsafe dnnl_primitive_create(&$0, description) }
        unsafe stream = created("dnnl_stream_create") {
            unsafe dnnl_stream_create(&$0, engine, dnnl_stream_default_flags.rawValue)
        }
        guard var room = unsafe dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0)?.pointee else {
            preconditionFailure("a primitive of oneDNN without a description of its scratchpad")
        }
        scratchpad = Arena(count: (unsafe dnnl_memory_desc_get_size(&room) + 3) / 4).all
        unsafe arguments = [
            argument(DNNL_ARG_SRC_0, &a), argument(DNNL_ARG_WEIGHTS_0, &b), argument(DNNL_ARG_DST_0, &target),
            argument(DNNL_ARG_SCRATCHPAD, &room),
        ]
        unsafe setMemory(3, scratchpad.view.pointer)
    }

    deinit {
        for index in unsafe arguments.indices {
            require(unsafe dnnl_memory_destroy(arguments[index].memory), "dnnl_memory_destroy")
        }
        require(unsafe dnnl_stream_destroy(stream), "dnnl_stream_destroy")
        require(unsafe dnnl_primitive_destroy(primitive), "dnnl_primitive_destroy")
    }

    /// `target = a b` on the calling thread. `packed` holds `b` in blocks of ``packedRows`` x ``packedColumns``, those of the
    /// same columns one after the other, and in a block pairs of rows, interleaved: oneDNN's `BA16a64b2a`.
    ///
    /// The corresponding C function is `dnnl_primitive_execute`.
    package func multiply(_ a: BFloat16Matrix, packed: BFloat16View, into target: Matrix) {
        precondition(
            a.rows == m && a.columns == k && a.stride == k && packed.count == k * n && target.rows == m
                && target.columns == n && target.stride == n, "not the product that was prepared")
        unsafe setMemory(0, a.view.pointer)
        unsafe setMemory(1, packed.pointer)
        unsafe setMemory(2, target.view.pointer)
        require(
            unsafe dnnl_primitive_execute(primitive, stream, Int32(arguments.count), arguments),
            "dnnl_primitive_execute")
    }

    private func setMemory(_ index: Int, _ pointer: UnsafeMutableRawPointer) {
        require(
            unsafe dnnl_memory_set_data_handle(arguments[index].memory, pointer), "dnnl_memory_set_data_handle")
    }
}

/// The processor, for the life of the program.
private nonisolated(unsafe) let engine: OpaquePointer = unsafe created("dnnl_engine_create") {
    unsafe dnnl_engine_create(&$0, dnnl_cpu, 0)
}

/// What a creating function of oneDNN leaves in its first argument.
private func created(_ function: String, _ create: (inout OpaquePointer?) -> dnnl_status_t) -> OpaquePointer {
    var object: OpaquePointer?
    require(unsafe create(&object), function)
    guard let object = unsafe object else { preconditionFailure("\(function) created nothing") }
    return unsafe object
}

private func layout(_ sizes: [Int], _ type: dnnl_data_type_t, _ tag: dnnl_format_tag_t) -> dnnl_memory_desc_t {
    var layout = dnnl_memory_desc_t()
    require(
        unsafe dnnl_memory_desc_init_by_tag(&layout, Int32(sizes.count), sizes.map(Int64.init), type, tag),
        "dnnl_memory_desc_init_by_tag")
    return layout
}

private func argument(_ index: Int32, _ layout: inout dnnl_memory_desc_t) -> dnnl_exec_arg_t {
    let memory = unsafe created("dnnl_memory_create") { unsafe dnnl_memory_create(&$0, &layout, engine, nil) }
    return unsafe dnnl_exec_arg_t(arg: index, memory: memory)
}

/// A description of the product for the library's kernel on tiles; nil where it would use another one.
private func primitiveDescription(
    _ a: inout dnnl_memory_desc_t, _ b: inout dnnl_memory_desc_t, _ target: inout dnnl_memory_desc_t
) -> OpaquePointer? {
    var operation = dnnl_matmul_desc_t()
    require(unsafe dnnl_matmul_desc_init(&operation, &a, &b, nil, &target), "dnnl_matmul_desc_init")
    let attributes = unsafe created("dnnl_primitive_attr_create") { unsafe dnnl_primitive_attr_create(&$0) }
    defer { require(unsafe dnnl_primitive_attr_destroy(attributes), "dnnl_primitive_attr_destroy") }
    require(
        unsafe dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user),
        "dnnl_primitive_attr_set_scratchpad_mode")
    var description: OpaquePointer?
    let status = unsafe dnnl_primitive_desc_create(&description, &operation, attributes, engine, nil)
    // The library's status for sizes or a processor that it has no kernel for.
    if status == dnnl_unimplemented { return nil }
    require(status, "dnnl_primitive_desc_create")
    guard let description = unsafe description else { preconditionFailure("oneDNN described nothing") }
    var name: UnsafePointer<CChar>?
    require(
        unsafe dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &name), "dnnl_primitive_desc_query")
    let usesTiles = unsafe name.map { unsafe String(cString: $0).hasPrefix("brg:avx512_core_amx") } ?? false
    if usesTiles { return unsafe description }
    require(unsafe dnnl_primitive_desc_destroy(description), "dnnl_primitive_desc_destroy")
    return nil
}

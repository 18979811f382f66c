// ElementType - the types of numbers that messages consist of.

internal import CMPI

/// An element type that messages consist of. Safe: the handle points at a constant of the library.
@safe package struct ElementType {
    let datatype: MPI_Datatype
    /// Bytes from one element to the next.
    let stride: Int

    static var byte: ElementType { unsafe ElementType(datatype: cmpi_byte(), stride: 1) }
    static var uint16: ElementType {
        unsafe ElementType(datatype: cmpi_uint16(), stride: MemoryLayout<UInt16>.stride)
    }
    static var int64: ElementType { unsafe ElementType(datatype: cmpi_int64(), stride: MemoryLayout<Int>.stride) }
    static var float: ElementType { unsafe ElementType(datatype: cmpi_float(), stride: MemoryLayout<Float>.stride) }
    static var double: ElementType { unsafe ElementType(datatype: cmpi_double(), stride: MemoryLayout<Double>.stride) }
}

// ParquetScript - the Python program that reads a Parquet file, and what it writes.

/// The program that reads a Parquet file through pyarrow.
///
/// It writes the bytes "MILEROWS", then blocks. A block is its size in bytes (u32), the position in the file (u64), and
/// lines. Each line is an object of JSON for one row: the text under its key, and the domain. The last block has the
/// size 0 and the position of the end. The number of rows (u64) follows, and nothing else. Numbers are little-endian.
enum ParquetScript {
    static let magic = Array("MILEROWS".utf8)
    /// Size of the two numbers before the lines of a block.
    static let headerSize = 12
    /// Size of the number of rows after the last block.
    static let trailerSize = 8

    /// Exit statuses of the program other than 0.
    enum Status: Int32 {
        case noLibrary = 3
        /// The column is no text, or is not there.
        case wrongColumn = 4
        /// pyarrow cannot read the file.
        case unreadable = 5
    }

    /// The program. Its arguments are the path of the file, and the key of the text.
    static let text = #"""
        import sys

        # A file of the working directory must not stand in for a module.
        sys.path[:] = [folder for folder in sys.path if folder]
        import io, json, os, signal, struct

        # The program that started this one stops for these signals when it has used the rows that it has.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)

        path, key = sys.argv[1:3]
        block_size = 1 << 20


        def fail(status, words):
            sys.stderr.write(" ".join(str(words).split()))
            sys.stderr.flush()
            os._exit(status)


        try:
            import pyarrow
            import pyarrow.compute
            import pyarrow.parquet
        except ImportError as error:
            fail(3, error)


        def find(schema, key):
            """The path of a column: the literal name, else struct fields between points; None if it is not there."""
            for names in ([key], key.split(".")):
                fields, type = list(schema), None
                for name in names:
                    found = [field for field in fields if field.name == name]
                    if len(found) > 1:
                        fail(4, 'it has two columns "%s"' % key)
                    if not found:
                        break
                    type = found[0].type
                    fields = list(type) if pyarrow.types.is_struct(type) else []
                else:
                    return names, type
            return None


        def is_text(type):
            if pyarrow.types.is_dictionary(type):
                type = type.value_type
            names = ("null", "string", "large_string", "string_view", "binary", "large_binary", "binary_view")
            return str(type) in names or pyarrow.types.is_fixed_size_binary(type)


        def values(batch, names):
            """The values of a column as bytes or None. A null struct has null fields."""
            column = batch.column(batch.schema.get_field_index(names[0]))
            for name in names[1:]:
                column = pyarrow.compute.struct_field(column, [name])
            if pyarrow.types.is_dictionary(column.type):
                column = column.dictionary_decode()
            if pyarrow.types.is_null(column.type):
                return [None] * len(column)
            try:
                return column.cast(pyarrow.large_binary()).to_pylist()
            except pyarrow.ArrowNotImplementedError:
                return [x.encode("utf-8") if isinstance(x, str) else x for x in column.to_pylist()]


        def quote(value):
            """A value as JSON. Bytes that are no UTF-8 stay as they are, for the reader to find them."""
            if value is None:
                return b"null"
            text = value.decode("utf-8", "surrogateescape")
            return json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogateescape")


        def read(file, output):
            schema = file.schema_arrow
            text = find(schema, key)
            if text is None:
                columns = ", ".join(schema.names[:20])
                fail(4, 'it has no column "%s"; its columns are %s' % (key, columns))
            if not is_text(text[1]):
                fail(4, 'its column "%s" is %s, not text' % (key, text[1]))
            domain = find(schema, "meta.pile_set_name")
            if domain is not None and not is_text(domain[1]):
                domain = None
            names = [".".join(text[0])] + ([".".join(domain[0])] if domain else [])
            size, rows = os.path.getsize(path), file.metadata.num_rows
            # Few rows at a time where they are long, so that memory does not depend on their length.
            groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
            chunks = [group.column(i) for group in groups for i in range(group.num_columns)]
            bytes_of_text = sum(x.total_uncompressed_size for x in chunks if x.path_in_schema in names)
            batch_size = max(1, min(1 << 12, 4 * block_size * max(rows, 1) // max(bytes_of_text, 1)))
            prefix = b"{" + json.dumps(key, ensure_ascii=False).encode() + b":"
            output.write(b"MILEROWS")
            count, lines, held = 0, [], 0

            def flush():
                block = b"".join(lines)
                for start in range(0, len(block), block_size):
                    piece = block[start:start + block_size]
                    output.write(struct.pack("<IQ", len(piece), size * count // max(rows, 1)) + piece)

            for batch in file.iter_batches(batch_size=batch_size, columns=names, use_threads=False):
                texts = values(batch, text[0])
                domains = values(batch, domain[0]) if domain else [None] * len(texts)
                for value, name in zip(texts, domains):
                    line = prefix + quote(value)
                    if name is not None:
                        line += b',"meta":{"pile_set_name":' + quote(name) + b"}"
                    lines.append(line + b"}\n")
                    held += len(lines[-1])
                    count += 1
                    if held >= block_size:
                        flush()
                        lines, held = [], 0
            flush()
            if count != rows:
                fail(5, "it holds %d rows, and its end tells of %d" % (count, rows))
            output.write(struct.pack("<IQQ", 0, size, count))
            output.flush()


        try:
            pyarrow.set_cpu_count(1)
            pyarrow.set_io_thread_count(1)
            # Versions before 14 verify no checksums.
            major = int(pyarrow.__version__.split(".")[0])
            options = {"page_checksum_verification": True} if major >= 14 else {}
            with open(1, "wb", buffering=0, closefd=False) as raw, pyarrow.parquet.ParquetFile(
                path, buffer_size=1 << 20, pre_buffer=False, **options
            ) as file:
                with io.BufferedWriter(raw, 1 << 17) as output:
                    read(file, output)
        except BrokenPipeError:
            os._exit(1)
        except (pyarrow.ArrowException, OSError, ValueError, MemoryError) as error:
            fail(5, "%s: %s" % (type(error).__name__, error))
        """#
}

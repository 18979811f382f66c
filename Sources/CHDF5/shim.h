#pragma once
#include <hdf5.h>

// Swift imports neither HDF5's cast and call macros (H5E_DEFAULT, H5S_ALL, H5F_ACC_*) nor its predefined types and
// classes, which are macros over mutable globals that must not be read before H5open(). One function per macro.

static inline hid_t chdf5_error_stack_default(void) { return H5E_DEFAULT; }
static inline hid_t chdf5_select_all(void) { return H5S_ALL; }
static inline hid_t chdf5_properties_default(void) { return H5P_DEFAULT; }

static inline unsigned chdf5_access_read_only(void) { return H5F_ACC_RDONLY; }
static inline unsigned chdf5_access_truncate(void) { return H5F_ACC_TRUNC; }
static inline unsigned chdf5_objects_all_local(void) { return H5F_OBJ_ALL | H5F_OBJ_LOCAL; }

static inline hid_t chdf5_class_file_access(void) { return H5P_FILE_ACCESS; }
static inline hid_t chdf5_class_dataset_create(void) { return H5P_DATASET_CREATE; }

static inline hid_t chdf5_type_f32le(void) { return H5T_IEEE_F32LE; }
static inline hid_t chdf5_type_i64le(void) { return H5T_STD_I64LE; }
static inline hid_t chdf5_type_u8le(void) { return H5T_STD_U8LE; }
static inline hid_t chdf5_type_native_float(void) { return H5T_NATIVE_FLOAT; }
static inline hid_t chdf5_type_native_int64(void) { return H5T_NATIVE_INT64; }
static inline hid_t chdf5_type_native_uint8(void) { return H5T_NATIVE_UINT8; }
static inline hid_t chdf5_type_c_string(void) { return H5T_C_S1; }

static inline H5Z_filter_t chdf5_filter_fletcher32(void) { return H5Z_FILTER_FLETCHER32; }

// A file of the driver that Sources/HDF5Store registers: HDF5 fills the first member, the second is a Swift object.
typedef struct {
    H5FD_t library;
    void *output;
} chdf5_output;

// Registers the driver. The functions that are left out are optional. HDF5 copies the structure.
static inline hid_t chdf5_register_driver(
    H5FD_t *(*open)(const char *path, unsigned flags, hid_t access, haddr_t most), herr_t (*close)(H5FD_t *file),
    haddr_t (*get_eoa)(const H5FD_t *file, H5FD_mem_t type),
    herr_t (*set_eoa)(H5FD_t *file, H5FD_mem_t type, haddr_t end),
    haddr_t (*get_eof)(const H5FD_t *file, H5FD_mem_t type),
    herr_t (*get_handle)(H5FD_t *file, hid_t access, void **handle),
    herr_t (*read)(H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t size, void *buffer),
    herr_t (*write)(H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t size, const void *buffer),
    herr_t (*truncate)(H5FD_t *file, hid_t transfer, hbool_t closing), herr_t (*lock)(H5FD_t *file, hbool_t writes),
    herr_t (*unlock)(H5FD_t *file), herr_t (*query)(const H5FD_t *file, unsigned long *flags)) {
    const H5FD_class_t driver = {
        .name = "mile-dist", .maxaddr = ((haddr_t)1 << 63) - 1, .fc_degree = H5F_CLOSE_STRONG, .open = open,
        .close = close, .get_eoa = get_eoa, .set_eoa = set_eoa, .get_eof = get_eof, .get_handle = get_handle,
        .read = read, .write = write, .truncate = truncate, .lock = lock, .unlock = unlock, .query = query,
        .fl_map = H5FD_FLMAP_DICHOTOMY};
    return H5FDregister(&driver);
}

// What HDF5's own driver for files says of its abilities: with others the same content would be other bytes.
static inline unsigned long chdf5_driver_abilities(void) {
    return H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
           H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
}

// Puts a line on the error stack, as HDF5's own functions do.
static inline herr_t chdf5_push_error(const char *function, const char *text) {
    return H5Epush2(H5E_DEFAULT, "HDF5Store", function, 0, H5E_ERR_CLS, H5E_FILE, H5E_CANTOPENFILE, "%s", text);
}

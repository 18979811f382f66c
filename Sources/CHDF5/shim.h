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

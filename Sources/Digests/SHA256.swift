// SHA256 - hashes of files, tensors and tokens, by OpenSSL's libcrypto.

internal import CCrypto

/// A SHA-256 of bytes that are added piece by piece (FIPS 180-4).
///
/// Safe: the context belongs to this object alone, and every call is checked.
@safe public final class SHA256 {
    /// Bytes of a digest.
    public static let byteCount = 32
    private let context: OpaquePointer

    /// Starts without bytes. The corresponding C functions are `EVP_MD_CTX_new` and `EVP_DigestInit_ex`.
    ///
    /// Traps where libcrypto has no SHA-256 or no memory: nothing can be verified then.
    public init() {
        guard let context = unsafe EVP_MD_CTX_new(), unsafe EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
            fatalError("libcrypto cannot compute SHA-256")
        }
        unsafe self.context = context
    }

    deinit { unsafe EVP_MD_CTX_free(context) }

    /// Adds bytes. The corresponding C function is `EVP_DigestUpdate`.
    public func update(bufferPointer bytes: UnsafeRawBufferPointer) {
        let status = unsafe EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
        precondition(status == 1, "EVP_DigestUpdate failed")
    }

    /// Adds bytes.
    public func update(data bytes: [UInt8]) { unsafe bytes.withUnsafeBytes { unsafe update(bufferPointer: $0) } }

    /// The digest of all bytes so far, after which nothing can be added. The corresponding C function is
    /// `EVP_DigestFinal_ex`.
    public func finalize() -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Self.byteCount)
        let status = unsafe EVP_DigestFinal_ex(context, &digest, nil)
        precondition(status == 1, "EVP_DigestFinal_ex failed")
        return digest
    }

    /// The digest of `bytes`.
    public static func hash(data bytes: [UInt8]) -> [UInt8] {
        let hasher = SHA256()
        hasher.update(data: bytes)
        return hasher.finalize()
    }
}

/// Two lower-case digits per byte.
public func hexadecimalDigits(of bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

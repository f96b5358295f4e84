public import Images

extension Portraits {
  /// Many portraits in one picture, row by row.
  ///
  /// - Parameters:
  ///   - rows: The people, 40 attributes each in CelebA's order; person `i` is drawn as row `i`.
  ///   - columns: How many stand side by side.
  ///   - seed: Decides everything that the attributes leave open.
  ///   - width: Pixels across one portrait.
  ///   - height: Pixels down one portrait.
  /// - Returns: The sheet; places without a person are black.
  public static func contactSheet(
    of rows: [[Bool]], columns: Int, seed: UInt64, width: Int = 178, height: Int = 218
  ) -> Image {
    precondition(columns > 0 && !rows.isEmpty, "a sheet shows someone")
    let painter = PortraitPainter(width: width, height: height)
    let lines = (rows.count + columns - 1) / columns
    var sheet = Image(width: columns * width, height: lines * height)
    for (index, row) in rows.enumerated() {
      painter.paint(row, seed: seed, stream: UInt64(index))
      let portrait = painter.canvas.image()
      let corner = (index / columns * height * sheet.width + index % columns * width) * 3
      for y in 0..<height {
        let from = y * width * 3
        let to = corner + y * sheet.width * 3
        sheet.pixels.replaceSubrange(
          to..<to + width * 3, with: portrait.pixels[from..<from + width * 3])
      }
    }
    return sheet
  }
}

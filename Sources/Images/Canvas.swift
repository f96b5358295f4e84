import CCairo

/// A picture that shapes are drawn into, smooth at the edges.
///
/// Coordinates are pixels from the top left corner, `y` downwards. A shape is built from
/// ``move(to:)``, ``line(to:)``, ``curve(_:_:_:)`` and their kin, then painted with
/// ``fill(_:)`` or ``stroke(_:width:)``, which forget it. A canvas starts out transparent.
///
/// A canvas belongs to one thread at a time; different canvases do not disturb each other.
public final class Canvas {
  /// The number of columns.
  public let width: Int

  /// The number of rows.
  public let height: Int

  let surface: OpaquePointer
  private let context: OpaquePointer

  /// The longest side a canvas can have, in pixels.
  public static let longestSide = 16_384

  /// A transparent canvas.
  ///
  /// - Precondition: both sides are from 1 to ``longestSide``.
  public init(width: Int, height: Int) {
    precondition(
      (1...Self.longestSide).contains(width) && (1...Self.longestSide).contains(height),
      "a canvas has sides from 1 to \(Self.longestSide)")
    let surface = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, Int32(width), Int32(height))
    guard let surface, cairo_surface_status(surface) == CAIRO_STATUS_SUCCESS,
      let context = cairo_create(surface)
    else { preconditionFailure("no memory for a canvas of \(width) x \(height)") }
    self.width = width
    self.height = height
    self.surface = surface
    self.context = context
    cairo_set_tolerance(context, 0.25)
    cairo_set_antialias(context, CAIRO_ANTIALIAS_FAST)
    cairo_set_line_cap(context, CAIRO_LINE_CAP_ROUND)
    cairo_set_line_join(context, CAIRO_LINE_JOIN_ROUND)
  }

  deinit {
    cairo_destroy(context)
    cairo_surface_destroy(surface)
  }

  /// Starts a new line of the shape at `point`.
  public func move(to point: SIMD2<Double>) { cairo_move_to(context, point.x, point.y) }

  /// Draws a straight line of the shape to `point`.
  public func line(to point: SIMD2<Double>) { cairo_line_to(context, point.x, point.y) }

  /// Draws a cubic Bézier curve of the shape to `end`.
  public func curve(_ first: SIMD2<Double>, _ second: SIMD2<Double>, _ end: SIMD2<Double>) {
    cairo_curve_to(context, first.x, first.y, second.x, second.y, end.x, end.y)
  }

  /// Joins the last point of the shape to the first.
  public func close() { cairo_close_path(context) }

  /// Adds a circle to the shape.
  public func circle(_ center: SIMD2<Double>, radius: Double) {
    cairo_new_sub_path(context)
    cairo_arc(context, center.x, center.y, max(radius, 0.01), 0, 2 * .pi)
    cairo_close_path(context)
  }

  /// Adds an ellipse to the shape, turned by `angle` radians.
  public func ellipse(_ center: SIMD2<Double>, radii: SIMD2<Double>, angle: Double = 0) {
    cairo_save(context)
    cairo_translate(context, center.x, center.y)
    cairo_rotate(context, angle)
    cairo_scale(context, max(radii.x, 0.01), max(radii.y, 0.01))
    cairo_new_sub_path(context)
    cairo_arc(context, 0, 0, 1, 0, 2 * .pi)
    cairo_close_path(context)
    cairo_restore(context)
  }

  /// Adds a rectangle to the shape.
  public func rectangle(_ corner: SIMD2<Double>, size: SIMD2<Double>) {
    cairo_rectangle(context, corner.x, corner.y, size.x, size.y)
  }

  /// Adds a smooth curve that passes through `points`.
  ///
  /// Source: E. Catmull, R. Rom, *A class of local interpolating splines*, 1974; each span is
  /// the cubic Bézier curve with control points a sixth of the neighbours' distance away.
  ///
  /// - Parameters:
  ///   - points: At least two points, in order.
  ///   - closed: Whether the curve returns to its first point.
  ///   - joined: Whether the curve goes on from the shape so far instead of starting a new line.
  public func curve(through points: [SIMD2<Double>], closed: Bool = false, joined: Bool = false) {
    let n = points.count
    guard n > 1 else { return }
    if joined { line(to: points[0]) } else { move(to: points[0]) }
    for i in 0..<(closed ? n : n - 1) {
      let before = points[closed ? (i + n - 1) % n : max(i - 1, 0)]
      let from = points[i]
      let to = points[(i + 1) % n]
      let after = points[closed ? (i + 2) % n : min(i + 2, n - 1)]
      curve(from + (to - before) / 6, to - (after - from) / 6, to)
    }
    if closed { close() }
  }

  /// Fills the shape and forgets it.
  public func fill(_ paint: Paint) {
    use(paint)
    cairo_fill(context)
  }

  /// Fills the shape and keeps it for the next call.
  public func fillKeepingShape(_ paint: Paint) {
    use(paint)
    cairo_fill_preserve(context)
  }

  /// Draws along the shape with a round pen `width` pixels wide and forgets it.
  public func stroke(_ paint: Paint, width: Double) {
    use(paint)
    cairo_set_line_width(context, width)
    cairo_stroke(context)
  }

  /// Paints all of the canvas.
  public func fillAll(_ paint: Paint) {
    use(paint)
    cairo_paint(context)
  }

  /// Replaces a rectangle of whole pixels, transparency and all; faster than blending over it.
  public func replace(columns: Range<Int>, rows: Range<Int>, _ paint: Paint) {
    use(paint)
    cairo_set_operator(context, CAIRO_OPERATOR_SOURCE)
    cairo_rectangle(
      context, Double(columns.lowerBound), Double(rows.lowerBound), Double(columns.count),
      Double(rows.count))
    cairo_fill(context)
    cairo_set_operator(context, CAIRO_OPERATOR_OVER)
  }

  /// Replaces all of the canvas, transparency and all.
  public func replaceAll(_ paint: Paint) {
    replace(columns: 0..<width, rows: 0..<height, paint)
  }

  /// Restricts what follows, until ``unclip()``, to the shape, and forgets the shape.
  public func clip() { cairo_clip(context) }

  /// Lifts every restriction of ``clip()``.
  public func unclip() { cairo_reset_clip(context) }

  /// Lets `body` read and change the pixels.
  ///
  /// Row by row from the top left, `0xAARRGGBB`, colours multiplied by alpha.
  public func withPixels<Result>(_ body: (inout MutableSpan<UInt32>) -> Result) -> Result {
    cairo_surface_flush(surface)
    guard let bytes = cairo_image_surface_get_data(surface) else {
      preconditionFailure("an image surface has data")
    }
    // ARGB32 rows are four bytes a pixel without padding, aligned to four bytes.
    let result = bytes.withMemoryRebound(to: UInt32.self, capacity: width * height) { start in
      var pixels = MutableSpan(_unsafeStart: start, count: width * height)
      return body(&pixels)
    }
    cairo_surface_mark_dirty(surface)
    return result
  }

  /// The canvas as a picture, over black where it is transparent.
  public func image() -> Image {
    var image = Image(width: width, height: height)
    withPixels { pixels in
      for i in 0..<pixels.count {
        image.pixels[i * 3] = UInt8(truncatingIfNeeded: pixels[i] >> 16)
        image.pixels[i * 3 + 1] = UInt8(truncatingIfNeeded: pixels[i] >> 8)
        image.pixels[i * 3 + 2] = UInt8(truncatingIfNeeded: pixels[i])
      }
    }
    return image
  }

  private func use(_ paint: Paint) {
    switch paint {
    case .color(let color):
      cairo_set_source_rgba(context, color.x, color.y, color.z, color.w)
    case .linear(let start, let end, let stops):
      let pattern = cairo_pattern_create_linear(start.x, start.y, end.x, end.y)
      use(pattern, stops)
    case .radial(let center, let radius, let stops):
      let pattern = cairo_pattern_create_radial(
        center.x, center.y, 0, center.x, center.y, max(radius, 0.01))
      use(pattern, stops)
    case .picture(let canvas, let scale):
      let pattern = cairo_pattern_create_for_surface(canvas.surface)
      var matrix = cairo_matrix_t()
      cairo_matrix_init_scale(&matrix, 1 / scale.x, 1 / scale.y)
      cairo_pattern_set_matrix(pattern, &matrix)
      let filter = scale == SIMD2(1, 1) ? CAIRO_FILTER_NEAREST : CAIRO_FILTER_BILINEAR
      cairo_pattern_set_filter(pattern, filter)
      cairo_pattern_set_extend(pattern, CAIRO_EXTEND_PAD)
      cairo_set_source(context, pattern)
      cairo_pattern_destroy(pattern)
    }
  }

  private func use(_ pattern: OpaquePointer?, _ stops: [Paint.Stop]) {
    for stop in stops {
      cairo_pattern_add_color_stop_rgba(
        pattern, stop.at, stop.color.x, stop.color.y, stop.color.z, stop.color.w)
    }
    cairo_set_source(context, pattern)
    cairo_pattern_destroy(pattern)
  }
}
